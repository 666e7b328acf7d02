//! The messenger inside an axum application, next to its own routes: `cargo run --example axum`.
//!
//! The service is mounted under `/chat`, so its documentation page is `/chat/docs`. The middleware of
//! the application applies to it too.

use std::error::Error;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;
use axum::{Router, serve};
use messenger_core::{Messenger, NewMessage, UserId};
use messenger_http::{MessengerService, ServiceConfig};
use messenger_memory::MemoryStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8000".to_owned());

    let messenger = Messenger::new(MemoryStore::new());
    // Links that the service writes begin with its path.
    let config = ServiceConfig::default().with_base_path("/chat")?;
    let service = MessengerService::with_config(messenger.clone(), config);
    let app = Router::new()
        .route("/orders/{customer}", post(order))
        .with_state(messenger)
        .nest_service("/chat", service.clone())
        .layer(from_fn(name_the_application));

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async move {
        let _ = tokio::signal::ctrl_c().await;
        service.begin_shutdown();
    };
    serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// A route of the application: it takes an order and tells the customer.
async fn order(
    State(messenger): State<Messenger>,
    Path(customer): Path<UserId>,
) -> Result<StatusCode, StatusCode> {
    let shop = UserId::new("shop").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let message = NewMessage::new(shop, customer, "Thank you for your order")
        .map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    messenger
        .send(message)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(StatusCode::CREATED)
}

/// A middleware of the application.
async fn name_the_application(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let name = HeaderValue::from_static("shop");
    response.headers_mut().insert("x-application", name);
    response
}
