//! Where strings begin and end, found ahead of the walk.
//!
//! Where members come in any order, a place depends on what was found at the place before, and the
//! processor waits for each. What was found ahead it need not wait for.

use crate::lanes::{self, WORD};

/// Words that are searched at once.
const AHEAD: usize = 8;
/// Words that are kept: those, and the one that a walk is in; a power of two, so that to find one is
/// cheap.
const WORDS: usize = 2 * AHEAD;

/// The bytes that runs of plain characters in strings end at: quotes, backslashes and control
/// characters.
#[derive(Debug)]
pub(super) struct Quotes {
    /// By the word's number in the bytes, modulo their count
    words: [u64; WORDS],
    /// How many bytes were searched, to the end of the last word
    searched: usize,
}

impl Quotes {
    /// Of what lies from `at` on.
    pub(super) fn new(at: usize) -> Self {
        Self { words: [0; WORDS], searched: at - at % WORD }
    }

    /// Which of the 64 bytes from `at` on are such, as bits; `at` must not go back.
    #[inline(always)]
    pub(super) fn word(&mut self, bytes: &[u8], at: usize) -> u64 {
        debug_assert!(self.searched <= at - at % WORD + WORDS * WORD, "{at} goes back");
        if at + WORD > self.searched {
            self.search(bytes, at);
        }
        let (word, bit) = (at / WORD, at % WORD);
        let low = self.words[word % WORDS] >> bit;
        // No bit of the next word is shifted in where `bit` is 0.
        let high = self.words[(word + 1) % WORDS] << 1 << (WORD - 1 - bit);
        low | high
    }

    /// The first from `at` on, or the end of the bytes.
    #[inline(always)]
    pub(super) fn next(&mut self, bytes: &[u8], mut at: usize) -> usize {
        while at < bytes.len() {
            let word = self.word(bytes, at);
            if word != 0 {
                return at + word.trailing_zeros() as usize;
            }
            at += WORD;
        }
        bytes.len()
    }

    #[inline(never)]
    fn search(&mut self, bytes: &[u8], at: usize) {
        self.searched = self.searched.max(at - at % WORD);
        let rest = bytes.get(self.searched..).unwrap_or_default();
        match rest.first_chunk() {
            Some(ahead) => self.add(ahead),
            None => {
                let mut ahead = [b' '; AHEAD * WORD];
                ahead[..rest.len()].copy_from_slice(rest);
                self.add(&ahead);
            }
        }
    }

    #[inline(always)]
    fn add(&mut self, ahead: &[u8; AHEAD * WORD]) {
        for word in ahead.as_chunks().0 {
            self.words[self.searched / WORD % WORDS] = lanes::string_specials_of_word(word);
            self.searched += WORD;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_are_found_from_wherever_a_walk_is(
            text in r#"([a-z]{0,90}["\\\n:é]{0,3}){0,40}"#,
            steps in prop::collection::vec((0..150_usize, any::<bool>()), 1..60),
        ) {
            let bytes = text.as_bytes();
            let is_special = |at: usize| matches!(bytes.get(at), Some(b'"' | b'\\' | 0..0x20));
            let mut at = steps[0].0;
            let mut quotes = Quotes::new(at);
            for (step, is_next) in steps {
                at += step;
                if is_next {
                    let next = (at..bytes.len()).find(|at| is_special(*at)).unwrap_or(bytes.len());
                    prop_assert_eq!(quotes.next(bytes, at), next);
                    at = at.max(next);
                } else {
                    let word = (0..WORD).filter(|bit| is_special(at + bit));
                    let word = word.fold(0, |word, bit| word | 1 << bit);
                    prop_assert_eq!(quotes.word(bytes, at), word);
                }
            }
        }
    }
}
