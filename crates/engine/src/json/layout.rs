//! What a source's records look like, learnt from those before.
//!
//! Between two values of a record, or a bracket and a value, stand a name, punctuation, closing
//! brackets and white space: a gap.
//! Records of one source are alike, so what follows a gap is most often what followed it before. It
//! is enough then to compare bytes: within the same brackets, the same bytes lead to the same place,
//! which the walker found strictly the first time. Nothing here decides what is valid; a gap that is
//! not known is the walker's to cross.

use std::collections::HashMap;

use crate::lanes::{self, Block, LANES};
use crate::projection::NodeId;

/// Gaps that are remembered behind another one.
const GUESSES: usize = 2;
/// Places in the index of gaps by their first name; a power of two.
const INDEXED: usize = 64;
/// Gaps longer than this are not learnt.
const LONGEST_GAP: usize = 256;
/// Gaps that are learnt within the same brackets: where names are data there is no end of them.
const MOST_GAPS: usize = 256;
/// Kinds of brackets within brackets that are told apart.
const MOST_NESTINGS: usize = 64;

/// The gaps learnt so far, and the brackets they lie in.
#[derive(Debug)]
pub(super) struct Layout {
    nestings: Vec<Nesting>,
    gaps: Vec<Gap>,
    /// What gaps have behind their first blocks
    blocks: Vec<MaskedBlock>,
}

/// A gap, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GapId(u16);

/// The open brackets around a place, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NestingId(u16);

/// A bracket within those around it.
#[derive(Debug)]
struct Nesting {
    outer: NestingId,
    bracket: Bracket,
    /// The place in the projection, where anything inside is wanted
    node: Option<NodeId>,
    depth: usize,
    known: HashMap<Box<[u8]>, GapId>,
    /// The two latest gaps of each first name, where members come in any order
    index: Vec<[GapId; 2]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bracket {
    Object,
    Array,
}

/// What stands behind a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The record's end
    End,
    /// The inside of an object or array; and of which place in the projection, if it is wanted
    Inside(Option<NodeId>),
    /// A value that is not wanted
    Skipped,
    /// A value that is wanted as a whole, and its slot
    Noted(u32),
    /// A value in which some are wanted that cannot be told by their names alone
    Walked(NodeId),
}

/// What is done about most values, without looking any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortcut {
    Note(u32),
    Skip,
    GoInside,
    End,
    None,
}

/// Where a gap leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crossing {
    /// The brackets around what is behind it
    pub(super) nesting: NestingId,
    pub(super) next: Next,
}

#[derive(Debug)]
struct Gap {
    /// The first thirty-two bytes
    first: [MaskedBlock; 2],
    /// The blocks behind them
    rest: (u32, u32),
    length: usize,
    shortcut: Shortcut,
    crossing: Crossing,
    /// What followed it, the latest first
    guesses: [GapId; GUESSES],
}

/// Up to sixteen bytes to compare with.
#[derive(Debug, Clone, Copy)]
struct MaskedBlock {
    bits: u128,
    mask: u128,
}

impl MaskedBlock {
    /// What no block is like.
    const NEVER: Self = Self { bits: 1, mask: 0 };

    fn new(bytes: &[u8]) -> Self {
        let mut block = [0; LANES];
        let length = bytes.len().min(LANES);
        block[..length].copy_from_slice(&bytes[..length]);
        let mask = u128::MAX.checked_shr(8 * (LANES - length) as u32).unwrap_or_default();
        Self { bits: u128::from_le_bytes(block), mask }
    }

    #[inline(always)]
    fn is(self, block: &Block) -> bool {
        u128::from_le_bytes(*block) & self.mask == self.bits
    }
}

/// Masks of the bytes up to each place of a block.
const UP_TO: [u128; LANES] = {
    let mut masks = [0; LANES];
    let mut place = 0;
    while place < LANES {
        masks[place] = u128::MAX >> (8 * (LANES - 1 - place));
        place += 1;
    }
    masks
};

/// Where in the index a gap is that begins so: by the bytes up to its second quote.
#[inline(always)]
fn first_name(block: &Block) -> usize {
    let quotes = lanes::quotes(block);
    let behind_first = quotes & quotes.wrapping_sub(1);
    let own = UP_TO.get(behind_first.trailing_zeros() as usize).copied().unwrap_or(u128::MAX);
    let bits = u128::from_le_bytes(*block) & own;
    let mixed = ((bits >> 64) as u64 ^ bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % INDEXED
}

impl Layout {
    /// Before a record.
    pub(super) const START: GapId = GapId(0);
    /// A gap that was not learnt.
    const UNKNOWN: GapId = GapId(1);
    /// Outside all brackets.
    pub(super) const OUTSIDE: NestingId = NestingId(0);

    pub(super) fn new() -> Self {
        let outside = Nesting {
            outer: Self::OUTSIDE,
            bracket: Bracket::Array,
            node: None,
            depth: 0,
            known: HashMap::new(),
            index: vec![[Self::UNKNOWN; 2]; INDEXED],
        };
        let outside_gap = || Gap {
            first: [MaskedBlock::NEVER; 2],
            rest: (0, 0),
            length: 0,
            shortcut: Shortcut::None,
            crossing: Crossing { nesting: Self::OUTSIDE, next: Next::End },
            guesses: [Self::UNKNOWN; GUESSES],
        };
        Self {
            nestings: vec![outside],
            gaps: vec![outside_gap(), outside_gap()],
            blocks: Vec::new(),
        }
    }

    /// The gap at `at` behind another one, what is to be done behind it and the byte after it, if it
    /// is one that followed before.
    #[inline(always)]
    pub(super) fn guess(
        &self,
        last: GapId,
        bytes: &[u8],
        at: usize,
    ) -> Option<(GapId, Shortcut, usize)> {
        let block = lanes::block(bytes, at)?;
        let last = &self.gaps[usize::from(last.0)];
        let [latest, other] = last.guesses;
        if let Some((shortcut, end)) = self.passed(latest, block, bytes, at) {
            return Some((latest, shortcut, end));
        }
        if let Some((shortcut, end)) = self.passed(other, block, bytes, at) {
            return Some((other, shortcut, end));
        }
        None
    }

    /// The same where members come in any order: gaps are found by their first names.
    #[inline(never)]
    pub(super) fn by_name(
        &self,
        last: GapId,
        bytes: &[u8],
        at: usize,
    ) -> Option<(GapId, Shortcut, usize)> {
        let block = lanes::block(bytes, at)?;
        let nesting = &self.nestings[usize::from(self.crossing(last).nesting.0)];
        let [latest, other] = nesting.index[first_name(block)];
        if let Some((shortcut, end)) = self.passed(latest, block, bytes, at) {
            return Some((latest, shortcut, end));
        }
        self.passed(other, block, bytes, at).map(|(shortcut, end)| (other, shortcut, end))
    }

    /// What is behind a gap, and where, if the block and the bytes at `at` are like it.
    #[inline(always)]
    fn passed(
        &self,
        gap: GapId,
        block: &Block,
        bytes: &[u8],
        at: usize,
    ) -> Option<(Shortcut, usize)> {
        let gap = &self.gaps[usize::from(gap.0)];
        let is = gap.first[0].is(block)
            && (gap.length <= LANES || self.has_rest(gap, bytes, at + LANES));
        is.then_some((gap.shortcut, at + gap.length))
    }

    #[inline(always)]
    fn has_rest(&self, gap: &Gap, bytes: &[u8], at: usize) -> bool {
        lanes::block(bytes, at).is_some_and(|block| gap.first[1].is(block))
            && (gap.length <= 2 * LANES || self.has_long_rest(gap, bytes, at + LANES))
    }

    fn has_long_rest(&self, gap: &Gap, bytes: &[u8], at: usize) -> bool {
        let (start, end) = gap.rest;
        let rest = &self.blocks[start as usize..end as usize];
        rest.iter()
            .zip((at..).step_by(LANES))
            .all(|(rest, at)| lanes::block(bytes, at).is_some_and(|block| rest.is(block)))
    }

    #[inline(always)]
    pub(super) fn crossing(&self, gap: GapId) -> Crossing {
        self.gaps[usize::from(gap.0)].crossing
    }

    /// Remembers a gap behind another one, unless it is too long or too many are known.
    pub(super) fn learn(&mut self, last: GapId, text: &[u8], crossing: Crossing) -> GapId {
        let from = usize::from(self.crossing(last).nesting.0);
        let known = &self.nestings[from].known;
        let gap = match known.get(text) {
            Some(gap) => *gap,
            None if text.len() > LONGEST_GAP || known.len() == MOST_GAPS => {
                let unknown = &mut self.gaps[usize::from(Self::UNKNOWN.0)];
                unknown.crossing = crossing;
                return Self::UNKNOWN;
            }
            None => {
                let gap = self.add(text, crossing);
                self.nestings[from].known.insert(text.into(), gap);
                gap
            }
        };
        let padded;
        let block = match lanes::block(text, 0) {
            Some(block) => Some(block),
            None => {
                padded = [text, &[0; LANES]].concat();
                lanes::block(&padded, 0)
            }
        };
        if let Some(block) = block {
            let [latest, other] = &mut self.nestings[from].index[first_name(block)];
            if *latest != gap {
                *other = std::mem::replace(latest, gap);
            }
        }
        // Of what has not been learnt it is not known what followed.
        if last != Self::UNKNOWN {
            let last = &mut self.gaps[usize::from(last.0)];
            let [latest, other] = &mut last.guesses;
            if *latest != gap {
                *other = std::mem::replace(latest, gap);
            }
        }
        gap
    }

    fn add(&mut self, text: &[u8], crossing: Crossing) -> GapId {
        let first = self.blocks.len() as u32;
        let mut blocks = text.chunks(LANES).map(MaskedBlock::new);
        let mut block = || blocks.next().unwrap_or(MaskedBlock::NEVER);
        let first_blocks = [block(), block()];
        self.blocks.extend(blocks);
        let shortcut = match crossing.next {
            Next::End => Shortcut::End,
            Next::Inside(None) => Shortcut::GoInside,
            Next::Skipped => Shortcut::Skip,
            Next::Noted(slot) => Shortcut::Note(slot),
            Next::Inside(Some(_)) | Next::Walked(_) => Shortcut::None,
        };
        self.gaps.push(Gap {
            shortcut,
            first: first_blocks,
            rest: (first, self.blocks.len() as u32),
            length: text.len(),
            crossing,
            guesses: [Self::UNKNOWN; GUESSES],
        });
        GapId(self.gaps.len() as u16 - 1)
    }

    /// Whether any more gaps and brackets can be learnt everywhere.
    pub(super) fn has_room(&self) -> bool {
        let is_full = |nesting: &Nesting| nesting.known.len() == MOST_GAPS;
        self.nestings.len() < MOST_NESTINGS && !self.nestings.iter().any(is_full)
    }

    /// A bracket within others; none where too many are known.
    pub(super) fn inside(
        &mut self,
        outer: NestingId,
        bracket: Bracket,
        node: Option<NodeId>,
    ) -> Option<NestingId> {
        let same = |nesting: &Nesting| {
            nesting.outer == outer
                && nesting.bracket == bracket
                && nesting.node == node
                && nesting.depth > 0
        };
        let known = self.nestings.iter().position(same);
        if known.is_none() && self.nestings.len() == MOST_NESTINGS {
            return None;
        }
        let at = known.unwrap_or_else(|| {
            let depth = self.nestings[usize::from(outer.0)].depth + 1;
            let known = HashMap::new();
            let index = vec![[Self::UNKNOWN; 2]; INDEXED];
            self.nestings.push(Nesting { outer, bracket, node, depth, known, index });
            self.nestings.len() - 1
        });
        Some(NestingId(at as u16))
    }

    /// The innermost bracket, the place in the projection that it is, and what is around it.
    pub(super) fn innermost(&self, nesting: NestingId) -> (Bracket, Option<NodeId>, NestingId) {
        let Nesting { bracket, node, outer, .. } = &self.nestings[usize::from(nesting.0)];
        (*bracket, *node, *outer)
    }

    /// How many brackets are open.
    pub(super) fn depth(&self, nesting: NestingId) -> usize {
        self.nestings[usize::from(nesting.0)].depth
    }
}
