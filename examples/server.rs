//! The messenger over HTTP, in memory: `cargo run --example server`.
//!
//! The program `messenger-server` is this, with flags, a log, metrics, a choice of stores and a
//! second signal that ends it at once.

use std::error::Error;

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

    // After Ctrl-C the server accepts no new connections and completes the requests in flight.
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    let drained = serve(listener, service, ServerConfig::default(), stop).await;
    if !drained.is_complete() {
        return Err("some requests took too long and were cut off".into());
    }
    Ok(())
}
