//! A name for a web address from a title: accents are dropped by decomposition, letters that do
//! not decompose go by a small table, everything else separates words. No other script is
//! transliterated; a title without a Latin letter or digit gives an empty slug.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

pub(crate) fn slugify(text: &str, max_length: usize) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            '\'' | '’' => {}
            _ => match latin(c) {
                Some(letters) => slug.push_str(letters),
                None if slug.is_empty() || slug.ends_with('-') => {}
                None => slug.push('-'),
            },
        }
    }
    shorten(slug.trim_matches('-'), max_length)
}

fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ł' => "l",
        'ħ' => "h",
        'ı' => "i",
        '&' => "and",
        _ => return None,
    })
}

/// Cuts at a word's end where there is one.
fn shorten(slug: &str, max_length: usize) -> String {
    if slug.len() <= max_length {
        return slug.to_owned();
    }
    let cut = slug.get(..max_length).unwrap_or_default();
    let ends_a_word = slug.get(max_length..).is_some_and(|rest| rest.starts_with('-'));
    let kept = if ends_a_word { cut } else { cut.rsplit_once('-').map_or(cut, |(kept, _)| kept) };
    kept.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::slugify;

    #[test]
    fn accents_ligatures_and_punctuation_become_plain_words() {
        assert_eq!(
            slugify("Crème Brûlée: Jürgen's Straße Æther!", 80),
            "creme-brulee-jurgens-strasse-aether"
        );
    }

    #[test]
    fn a_long_title_is_cut_between_words() {
        assert_eq!(slugify("one two three", 9), "one-two");
        assert_eq!(slugify("one two three", 7), "one-two");
        assert_eq!(slugify("unbreakable", 5), "unbre");
    }

    #[test]
    fn what_holds_no_letter_gives_nothing() {
        assert_eq!(slugify("—  ***", 80), "");
    }
}
