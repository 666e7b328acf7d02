//! A document of which some sections are generated: what stands between the markers
//! `<!-- begin: name -->` and `<!-- end: name -->`.

use anyhow::{Context as _, Result, ensure};

/// The text of a document with generated sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(String);

impl Document {
    /// A document with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Puts another body between the markers of a section.
    ///
    /// # Errors
    ///
    /// When a marker is not there exactly once, or the end comes first.
    pub fn replace(&mut self, section: &str, body: &str) -> Result<()> {
        let (begin, end) = (
            format!("<!-- begin: {section} -->"),
            format!("<!-- end: {section} -->"),
        );
        let from = self.find(&begin)? + begin.len();
        let to = self.find(&end)?;
        ensure!(from <= to, "{end} stands before {begin}");
        let body = body.trim();
        self.0.replace_range(from..to, &format!("\n\n{body}\n\n"));
        Ok(())
    }

    fn find(&self, marker: &str) -> Result<usize> {
        let mut places = self.0.match_indices(marker);
        let (place, _) = places
            .next()
            .with_context(|| format!("there is no {marker}"))?;
        ensure!(places.next().is_none(), "{marker} is there twice");
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "By hand.\n<!-- begin: a -->\nold\n<!-- end: a -->\nBy hand, too.\n";

    fn error(text: &str) -> String {
        let error = Document::new(text).replace("a", "new").unwrap_err();
        error.to_string()
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let mut document = Document::new(TEXT);
        document.replace("a", "new").unwrap();
        assert_eq!(
            document.text(),
            "By hand.\n<!-- begin: a -->\n\nnew\n\n<!-- end: a -->\nBy hand, too.\n"
        );
    }

    #[test]
    fn replacing_again_changes_nothing() {
        let mut document = Document::new(TEXT);
        document.replace("a", "new\n").unwrap();
        let once = document.clone();
        document.replace("a", "new\n").unwrap();
        assert_eq!(document, once);
    }

    #[test]
    fn a_marker_that_is_missing_is_named() {
        assert_eq!(error("nothing"), "there is no <!-- begin: a -->");
        assert_eq!(error("<!-- begin: a -->"), "there is no <!-- end: a -->");
    }

    #[test]
    fn markers_that_leave_a_doubt_are_refused() {
        let twice = format!("{TEXT}{TEXT}");
        assert_eq!(error(&twice), "<!-- begin: a --> is there twice");
        let turned = "<!-- end: a --><!-- begin: a -->";
        assert!(error(turned).contains("stands before"));
    }

    #[test]
    fn a_refused_replacement_leaves_the_text() {
        let text = "<!-- begin: a -->\nold\n";
        let mut document = Document::new(text);
        document.replace("a", "new").unwrap_err();
        assert_eq!(document.text(), text);
    }
}
