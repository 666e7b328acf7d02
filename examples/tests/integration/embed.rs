use crate::example;
use crate::process::run;

#[test]
fn it_prints_the_inbox_the_pages_and_the_changes() {
    let lines = run(&mut example("embed")).success();
    assert_eq!(
        lines,
        "inbox: ada@example.org: Thank you! 📦, 2 unread\n\
         ada@example.org: Thank you! 📦\n\
         shop: It arrives tomorrow\n\
         end of page\n\
         shop: Your order is on its way\n\
         changes\n\
         ada@example.org: Thanks! 📦\n\
         shop: (unsent)\n"
    );
}
