//! Which store a program works on.

use anyhow::Result;
use clap::{Args, ValueEnum};
use messenger_core::Store;
use messenger_memory::MemoryStore;

/// The flags that choose a store.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// Where messages are kept.
    #[arg(
        long,
        env = "MESSENGER_STORE",
        value_enum,
        default_value_t,
        value_name = "STORE"
    )]
    store: StoreKind,
}

/// A store by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// In this process, until it ends.
    #[default]
    Memory,
}

impl StoreArgs {
    /// Which store was chosen.
    pub fn kind(&self) -> StoreKind {
        self.store
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// When it cannot be reached or is not set up.
    pub async fn open(&self) -> Result<Box<dyn Store>> {
        match self.store {
            StoreKind::Memory => Ok(Box::new(MemoryStore::new())),
        }
    }
}

impl StoreKind {
    /// The store's name, as the flag takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
        }
    }
}
