//! How a walk finds what comes next: by the order of the record before, or in any order.

use super::layout::{Follower, GapId, Layout};
use super::quotes::Quotes;
use super::scan::Stop;
use super::strings::{closed_at, string};

/// Finds known gaps, and the ends of the strings behind them.
pub(super) trait Ahead {
    /// Whether the processor can foresee which values are wanted; otherwise it is no faster to leave
    /// out the others.
    const IN_ORDER: bool = true;

    /// The gap at `at` behind another one, if it is known.
    fn gap<'l>(
        &mut self,
        layout: &'l mut Layout,
        last: GapId,
        bytes: &[u8],
        at: usize,
    ) -> Option<&'l Follower>;

    /// The closing quote of the string that opens at `open`, right behind the gap found last, and
    /// whether it has escapes.
    #[inline(always)]
    fn string(&mut self, bytes: &[u8], open: usize) -> Result<(usize, bool), Stop> {
        string(bytes, open + 1)
    }
}

/// Members come as in the record before: what comes next is guessed and compared.
pub(super) struct InOrder;

impl Ahead for InOrder {
    #[inline(always)]
    fn gap<'l>(
        &mut self,
        layout: &'l mut Layout,
        last: GapId,
        bytes: &[u8],
        at: usize,
    ) -> Option<&'l Follower> {
        layout.guess(last, bytes, at).or_else(|| layout.by_name(last, bytes, at))
    }
}

/// Members come in any order: a name is looked up, and how long the string behind it is does not
/// follow from what was before it.
pub(super) struct InAnyOrder {
    quotes: Quotes,
    /// Where the gap found last begins, and which of the 64 bytes from there on are special
    at: usize,
    word: u64,
}

impl InAnyOrder {
    /// For the record that begins at `at`.
    #[inline(always)]
    pub(super) fn new(at: usize) -> Self {
        Self { quotes: Quotes::new(at), at, word: 0 }
    }
}

#[inline(always)]
fn without_first(bits: u64) -> u64 {
    bits & bits.wrapping_sub(1)
}

impl Ahead for InAnyOrder {
    const IN_ORDER: bool = false;

    #[inline(always)]
    fn gap<'l>(
        &mut self,
        layout: &'l mut Layout,
        last: GapId,
        bytes: &[u8],
        at: usize,
    ) -> Option<&'l Follower> {
        (self.at, self.word) = (at, self.quotes.word(bytes, at));
        let name_end = without_first(self.word).trailing_zeros();
        layout.by_name_up_to(name_end, last, bytes, at).or_else(|| guess(layout, last, bytes, at))
    }

    #[inline(always)]
    fn string(&mut self, bytes: &[u8], open: usize) -> Result<(usize, bool), Stop> {
        // The first two are most often those of the name.
        let from_open = without_first(without_first(self.word));
        let from_close = without_first(from_open);
        let is_here = from_close != 0 && self.at + from_open.trailing_zeros() as usize == open;
        let end = match is_here {
            true => self.at + from_close.trailing_zeros() as usize,
            false => self.quotes.next(bytes, open + 1),
        };
        closed_at(bytes, end)
    }
}

/// Members may come as in the record before or not: finds out which of it holds more often.
///
/// What followed by name is remembered here and only here: so what comes often soon is what is
/// tried first, and what comes seldom does not displace it for long.
#[derive(Default)]
pub(super) struct Trial {
    guessed: usize,
    named: usize,
}

impl Trial {
    pub(super) fn is_in_any_order(&self) -> bool {
        self.named > self.guessed
    }
}

impl Ahead for &mut Trial {
    #[inline(always)]
    fn gap<'l>(
        &mut self,
        layout: &'l mut Layout,
        last: GapId,
        bytes: &[u8],
        at: usize,
    ) -> Option<&'l Follower> {
        if layout.guess(last, bytes, at).is_some() {
            self.guessed += 1;
        } else if let Some(found) = layout.by_name(last, bytes, at).copied() {
            self.named += 1;
            layout.follow(last, found);
        }
        layout.guess(last, bytes, at)
    }
}

/// Rarely needed where members come in any order.
#[inline(never)]
fn guess<'l>(layout: &'l Layout, last: GapId, bytes: &[u8], at: usize) -> Option<&'l Follower> {
    layout.guess(last, bytes, at)
}
