//! The messenger inside another program, without a server or a database: `cargo run --example embed`.

use messenger_core::{
    Content, Error, HistoryQuery, InboxQuery, Limit, Message, Messenger, NewMessage, Preview,
    UserId,
};
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
    let reply = NewMessage::new(ada.clone(), shop.clone(), "Thank you! 📦")?;
    let reply = messenger.send(reply).await?;

    // The inbox: conversations, those with the most recent messages first.
    let inbox = messenger.inbox(&ada, InboxQuery::new().with_unread(true));
    for entry in inbox.await? {
        let last = entry.last_message();
        let preview = last.preview().map_or("(unsent)", Preview::as_str);
        let unread = entry.unread().map_or(0, |unread| unread.count);
        println!("inbox: {}: {preview}, {unread} unread", last.sender_id());
    }

    // A history: the newest messages first, page by page.
    let two = HistoryQuery::new().with_limit(Limit::new(2)?);
    let newest = messenger.history(reply.conversation_id(), two).await?;
    let (prev, mut next) = (newest.prev, newest.next);
    newest.items.iter().for_each(print);
    while let Some(cursor) = next {
        println!("end of page");
        let query = two.with_cursor(cursor);
        let page = messenger.history(reply.conversation_id(), query).await?;
        page.items.iter().for_each(print);
        next = page.next;
    }

    // What changes later is found from `prev`: here an edit, and an unsent message.
    let edited = "Thanks! 📦".parse()?;
    messenger
        .edit(reply.conversation_id(), reply.id(), &ada, edited)
        .await?;
    let mistake = messenger
        .send(NewMessage::new(shop.clone(), ada, "Wrong customer")?)
        .await?;
    messenger
        .unsend(mistake.conversation_id(), mistake.id(), &shop)
        .await?;
    println!("changes");
    let query = two.with_cursor(prev);
    let changes = messenger.history(reply.conversation_id(), query).await?;
    changes.items.iter().rev().for_each(print);
    Ok(())
}

fn print(message: &Message) {
    let text = message.content().map_or("(unsent)", Content::as_str);
    println!("{}: {text}", message.sender_id());
}
