//! What people write: sentences put together from lists, some of them long, some in other scripts.

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};

const OPENINGS: &[&str] = &[
    "Are you free {time}?",
    "Did you get {thing}?",
    "I am at {place}, where are you?",
    "Shall we go {activity} {time}?",
    "Guess who I met at {place}",
    "Have you seen {thing}?",
    "Good morning ☀️",
    "Do you remember {place}?",
    "Can you bring {thing} {time}?",
    "I found {thing}!",
    "How was it at {place}?",
    "Quick question about {thing}",
    "Happy birthday 🎂",
    "Are we still going {activity}?",
    "My train is late, I will be at {place} {time}",
    "Long time no see. {activity} {time}?",
];

const REPLIES: &[&str] = &[
    "Yes, {time} is fine",
    "No, {time} is better",
    "Let me check",
    "On my way",
    "Haha",
    "Not sure yet",
    "I left {thing} at {place}",
    "See you {time} 👋",
    "Thanks!",
    "{thing}? No idea",
    "I would rather go {activity}",
    "At {place}, as always",
    "ok",
    "Sounds good 👍",
    "👍",
    "❤️",
    "😂😂😂",
    "🎉",
    "And {thing}?",
    "I will ask {time}",
    "Only if you bring {thing}",
    "Sorry, I was {activity}",
    "Perfect",
    "That is what I thought",
    "What about {place}?",
    "Tell me more",
    "I can be at {place} {time}",
    "Bis später!",
    "¡Nos vemos!",
    "À tout à l’heure",
    "До завтра",
    "ありがとう 🙏",
    "شكرا جزيلا",
    "👩‍👩‍👧‍👦 say hello",
    "🏔️🥾",
];

const STORIES: &[&str] = &[
    "So, about {place}: we got there {time} and it was closed.",
    "Somebody had taken {thing}, and nobody knew who.",
    "First I wanted to go {activity}, but then it rained.",
    "Then we waited at {place} for an hour.",
    "You would have laughed.",
    "In the end we went {activity} instead, which was better anyway.",
    "I still have {thing}, by the way.",
    "Next time we should ask before we leave.",
    "If you are free {time}, come along.",
    "I asked about {thing} and they said to come back {time}.",
    "The food was good, the music less so.",
    "Anyway, tell me how it went with {thing}.",
    "There is a small café behind {place}, you would like it.",
];

const TIMES: &[&str] = &[
    "tomorrow",
    "on Friday",
    "after lunch",
    "in ten minutes",
    "around noon",
    "at seven",
    "next week",
    "tonight",
    "on the weekend",
    "at half past five",
];

const THINGS: &[&str] = &[
    "the tickets",
    "the keys",
    "your book",
    "the photos",
    "the slides",
    "my umbrella",
    "the invoice",
    "the blue folder",
    "the tent",
    "that recipe",
];

const PLACES: &[&str] = &[
    "the station",
    "the lake",
    "the office",
    "Café Löwe",
    "the old harbour",
    "the climbing hall",
    "the market",
    "your place",
    "the library",
    "the cinema",
];

const ACTIVITIES: &[&str] = &[
    "swimming",
    "climbing",
    "for a walk",
    "to the cinema",
    "shopping",
    "for a run",
    "dancing",
    "out for dinner",
    "skating",
    "to a concert",
];

/// The first message of a conversation's burst.
pub(super) fn opening(rng: &mut impl Rng) -> String {
    sentence(OPENINGS, rng)
}

/// A message that answers another: mostly a short one, one in forty a story, and one in a thousand
/// a very long one.
pub(super) fn reply(rng: &mut impl Rng) -> String {
    match rng.random_range(0..1000) {
        0 => story(rng, 60),
        1..25 => {
            let sentences = rng.random_range(2..=9);
            story(rng, sentences)
        }
        _ => sentence(REPLIES, rng),
    }
}

fn story(rng: &mut impl Rng, sentences: usize) -> String {
    let sentences: Vec<_> = (0..sentences).map(|_| sentence(STORIES, rng)).collect();
    sentences.join(" ")
}

fn sentence(templates: &[&str], rng: &mut impl Rng) -> String {
    let mut rest = pick(templates, rng);
    let mut text = String::new();
    while let Some((before, slot_and_after)) = rest.split_once('{') {
        let (slot, after) = slot_and_after.split_once('}').unwrap_or_default();
        text.push_str(before);
        text.push_str(pick(words_for(slot), rng));
        rest = after;
    }
    text.push_str(rest);
    capitalised(text)
}

fn words_for(slot: &str) -> &'static [&'static str] {
    match slot {
        "time" => TIMES,
        "thing" => THINGS,
        "place" => PLACES,
        "activity" => ACTIVITIES,
        other => panic!("no words for {{{other}}}"),
    }
}

fn pick<'a>(list: &[&'a str], rng: &mut impl Rng) -> &'a str {
    list.choose(rng).expect("no list is empty")
}

fn capitalised(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use messenger_core::Content;
    use rand::SeedableRng as _;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn every_template_can_be_filled() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for template in [OPENINGS, REPLIES, STORIES].concat() {
            let text = sentence(&[template], &mut rng);
            assert!(!text.contains(['{', '}']), "{text}");
        }
    }

    #[test]
    fn the_longest_story_is_a_valid_content() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let text = story(&mut rng, 60);
        assert!(text.len() > 1_500);
        assert!(Content::new(text).is_ok());
    }
}
