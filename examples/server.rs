//! The messenger over HTTP, in memory: `cargo run --example server`.
//!
//! The program `messenger-server` is this, with flags, a log, metrics and a choice of stores.

use std::error::Error;

use futures_util::{StreamExt as _, stream};
use messenger_core::Messenger;
use messenger_http::{MessengerService, ServerConfig, serve};
use messenger_memory::MemoryStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8000".to_owned());

    // Any store will do. This one forgets everything when the program ends.
    let messenger = Messenger::new(MemoryStore::new());
    let service = MessengerService::new(messenger);

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);

    // After Ctrl-C the server completes the requests in flight. A second Ctrl-C ends it at once.
    let signals = stream::repeat(()).then(async |()| {
        let _ = tokio::signal::ctrl_c().await;
    });
    let drained = serve(listener, service, ServerConfig::default(), signals).await;
    if !drained.is_complete() {
        return Err("some requests were cut off".into());
    }
    Ok(())
}
