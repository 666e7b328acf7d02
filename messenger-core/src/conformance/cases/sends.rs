//! Sends: once, into all views, in any order. Rules 1, 2 and 4.

use crate::conformance::Model;
use crate::conformance::failure::Checked;
use crate::conformance::fixture::{Fixture, Write, ids};

pub(super) async fn a_repeated_send_changes_nothing(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    for message in fixture.pair()?.messages(ids(3))? {
        for _ in 0..3 {
            fixture.write(&mut model, &Write::send(&message)).await?;
            fixture.agrees_with(&model).await?;
        }
    }
    Ok(())
}
