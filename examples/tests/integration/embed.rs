use crate::example;
use crate::process::run;

#[test]
fn it_prints_the_inbox_and_the_pages() {
    let lines = run(&mut example("embed")).success();
    assert_eq!(
        lines,
        "inbox: ada@example.org: Thank you! 📦\n\
         page: ada@example.org: Thank you! 📦\n\
         page: shop: It arrives tomorrow\n\
         end of page\n\
         page: shop: Your order is on its way\n\
         end of page\n"
    );
}
