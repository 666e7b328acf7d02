//! The messenger inside another program, without a server or a database: `cargo run --example embed`.

use messenger_core::{Error, HistoryQuery, InboxQuery, Limit, Messenger, NewMessage, UserId};
use messenger_memory::MemoryStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let messenger = Messenger::new(MemoryStore::new());
    let (shop, ada) = (UserId::new("shop")?, UserId::new("ada@example.org")?);

    // Something happens in your program, and it tells a customer.
    for text in ["Your order is on its way", "It arrives tomorrow"] {
        let message = NewMessage::new(shop.clone(), ada.clone(), text)?;
        messenger.send(message).await?;
    }
    let reply = NewMessage::new(ada.clone(), shop, "Thank you! 📦")?;
    let reply = messenger.send(reply).await?;

    // The inbox: conversations, the most recent activity first.
    for conversation in messenger.inbox(&ada, InboxQuery::new()).await?.items {
        let last = conversation.last_message();
        println!("inbox: {}: {}", last.sender_id(), last.preview());
    }

    // A history: the newest messages first, page by page.
    let mut query = HistoryQuery::new().with_limit(Limit::new(2)?);
    loop {
        let page = messenger.history(reply.conversation_id(), query).await?;
        for message in &page.items {
            println!("page: {}: {}", message.sender_id(), message.content());
        }
        println!("end of page");
        if page.next.is_none() {
            break;
        }
        query = query.with_cursor(page.next);
    }
    Ok(())
}
