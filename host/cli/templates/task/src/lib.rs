//! The `{{publisher}}/{{name}}` capsule: counts words. It imports nothing, so it runs with an empty grant.

wit_bindgen::generate!({ path: "wit", world: "{{name}}" });

struct Capsule;

impl Guest for Capsule {
    fn count_words(text: String) -> Result<Counts, String> {
        if text.trim().is_empty() {
            return Err("the text is empty".to_owned());
        }
        let longest = text.split_whitespace().max_by_key(|word| word.chars().count());
        Ok(Counts {
            words: number(text.split_whitespace().count()),
            lines: number(text.lines().count()),
            longest: longest.map(str::to_owned),
        })
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

export!(Capsule);
