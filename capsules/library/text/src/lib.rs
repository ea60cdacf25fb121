//! The `soma/text` capsule: turns the WIT calls into calls of the rooms below.
//! It holds no state and imports nothing, so it runs with an empty grant.

mod extract;
mod slug;
mod statistics;
mod stopwords;
mod summarise;

wit_bindgen::generate!({ path: "wit", world: "text" });

struct Text;

impl Guest for Text {
    fn statistics(text: String) -> Statistics {
        statistics::measure(&text)
    }

    fn top_words(text: String, limit: u32) -> Vec<WordCount> {
        statistics::top_words(&text, limit as usize)
    }

    fn summarise(text: String, sentences: u32) -> Result<Summary, TextError> {
        summarise::summarise(&text, sentences as usize)
    }

    fn extract(text: String) -> References {
        extract::references(&text)
    }

    fn slugify(text: String, max_length: Option<u32>) -> String {
        slug::slugify(&text, max_length.unwrap_or(80) as usize)
    }
}

export!(Text);
