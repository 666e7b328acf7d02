//! Short dialogues, in which each reply fits what came before.
//!
//! A file per language holds words for the slots `{time}`, `{place}` and `{thing}`, and dialogues:
//! `>` is written by the one who begins, `<` by the other. The first dialogues are the same in all
//! languages, line by line and word by word, so that two people can have one with each writing in
//! their own language. English has more.

use std::sync::LazyLock;

use rand::{Rng, RngExt as _};

use super::people::Language;

/// The words that fill the slots of a dialogue; one choice for all of its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialogue {
    index: usize,
    words: [usize; SLOTS.len()],
}

const SLOTS: [&str; 3] = ["time", "place", "thing"];

impl Dialogue {
    /// Chooses a dialogue for two people, and its words.
    pub(super) fn choose(languages: [Language; 2], rng: &mut impl Rng) -> Self {
        let texts = languages.map(Texts::of);
        let known = texts.map(|texts| texts.dialogues.len());
        Self {
            index: rng.random_range(0..known[0].min(known[1])),
            words: std::array::from_fn(|slot| rng.random_range(0..texts[0].words[slot].len())),
        }
    }

    /// Returns the number of lines.
    pub(super) fn len(self) -> usize {
        self.lines(Language::English).len()
    }

    /// Returns whether the one who begins the dialogue writes this line.
    pub(super) fn is_by_first(self, line: usize) -> bool {
        self.lines(Language::English)[line].is_by_first
    }

    /// Returns the text of a line in this language.
    pub(super) fn text(self, line: usize, language: Language) -> String {
        let words = &Texts::of(language).words;
        let template = self.lines(language)[line].template.clone();
        let slots = SLOTS.iter().zip(words).zip(self.words);
        slots.fold(template, |text, ((slot, words), word)| {
            text.replace(&format!("{{{slot}}}"), words[word])
        })
    }

    fn lines(self, language: Language) -> &'static [Line] {
        &Texts::of(language).dialogues[self.index]
    }
}

/// The parsed file of a language.
#[derive(Debug)]
struct Texts {
    /// The words of each slot.
    words: [Vec<&'static str>; SLOTS.len()],
    dialogues: Vec<Vec<Line>>,
}

#[derive(Debug)]
struct Line {
    is_by_first: bool,
    template: String,
}

impl Texts {
    fn of(language: Language) -> &'static Self {
        macro_rules! file {
            ($name:literal) => {{
                static TEXTS: LazyLock<Texts> =
                    LazyLock::new(|| Texts::parse(include_str!(concat!("dialogues/", $name))));
                &TEXTS
            }};
        }
        match language {
            Language::English => file!("en.txt"),
            Language::French => file!("fr.txt"),
            Language::German => file!("de.txt"),
            Language::Japanese => file!("ja.txt"),
            Language::Spanish => file!("es.txt"),
        }
    }

    fn parse(file: &'static str) -> Self {
        let mut sections = file.split("\n\n");
        let words = sections.next().unwrap_or_default();
        let words_of = |slot: &str| {
            words
                .lines()
                .find_map(|line| line.strip_prefix(slot)?.strip_prefix(" = "))
                .map_or_else(Vec::new, |words| words.split(" | ").collect())
        };
        Self {
            words: SLOTS.map(words_of),
            dialogues: sections
                .map(|dialogue| dialogue.lines().map(Line::parse).collect())
                .collect(),
        }
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        let (writer, text) = line.split_at(2);
        Self {
            is_by_first: writer == "> ",
            template: text.replace("\\n", "\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use messenger_core::Content;
    use rand::SeedableRng as _;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::Language::{English, French, German, Japanese, Spanish};
    use super::*;

    const LANGUAGES: [Language; 5] = [English, French, German, Japanese, Spanish];

    #[test]
    fn languages_agree_on_who_writes_and_on_the_number_of_words() {
        for language in LANGUAGES {
            let (texts, english) = (Texts::of(language), Texts::of(English));
            assert!(texts.dialogues.len() >= 8, "{language:?}");
            assert_eq!(
                texts.words.each_ref().map(Vec::len),
                english.words.each_ref().map(Vec::len),
                "{language:?}"
            );
            for (dialogue, english) in texts.dialogues.iter().zip(&english.dialogues) {
                let writers = |lines: &[Line]| -> Vec<_> {
                    lines.iter().map(|line| line.is_by_first).collect()
                };
                assert_eq!(writers(dialogue), writers(english), "{dialogue:?}");
            }
        }
    }

    #[test]
    fn every_line_of_every_dialogue_is_a_valid_content() {
        for language in LANGUAGES {
            for index in 0..Texts::of(language).dialogues.len() {
                let dialogue = Dialogue {
                    index,
                    words: [5; 3],
                };
                for line in 0..dialogue.len() {
                    let text = dialogue.text(line, language);
                    assert!(!text.contains(['{', '}', '\\']), "{text}");
                    assert!(Content::new(text).is_ok());
                }
            }
        }
    }

    #[test]
    fn some_texts_are_long_and_have_line_breaks() {
        let long = |min| {
            let lines = Texts::of(English).dialogues.iter().flatten();
            lines
                .filter(|line| line.template.len() >= min && line.template.contains('\n'))
                .count()
        };
        assert!(long(400) >= 3);
        assert!(long(1_000) >= 1);
    }

    #[test]
    fn two_people_write_in_their_own_languages() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for _ in 0..1_000 {
            let dialogue = Dialogue::choose([Japanese, English], &mut rng);
            for line in 0..dialogue.len() {
                assert!(!dialogue.text(line, Japanese).is_empty());
            }
        }
        let english_only = (0..1_000)
            .map(|_| Dialogue::choose([English, English], &mut rng))
            .filter(|dialogue| dialogue.index >= Texts::of(Japanese).dialogues.len());
        assert!(english_only.count() > 0);
    }
}
