//! Writes the figures into `docs/performance.md`, and draws its charts.
//!
//! What was measured lies as JSON in one directory ([`Figures`]). Each file becomes a [table](tables)
//! between two markers of the document, so that all else in it is written by hand and stays. A file
//! that is missing leaves its section as it stands.

#[cfg(feature = "charts")]
pub mod charts;
pub mod document;
pub mod figures;
pub mod machine;
pub mod name;
pub mod numbers;
pub mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

pub use document::Document;
pub use figures::Figures;
pub use machine::Machine;
pub use name::Name;

/// Rewrites each section of the document whose figures are there, and says on the standard error
/// which are not.
///
/// # Errors
///
/// When the document cannot be read or written, or lacks a marker.
pub fn write_tables(figures: &Figures, file: &Path) -> Result<()> {
    let context = || file.display().to_string();
    let mut document = Document::new(fs::read_to_string(file).with_context(context)?);
    for (section, table) in tables::all(figures) {
        match table {
            Some(table) => document.replace(section, &table).with_context(context)?,
            None => eprintln!("{section} left as it stands: there is no {section}.json"),
        }
    }
    fs::write(file, document.text()).with_context(context)
}
