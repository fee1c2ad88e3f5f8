//! What a source's records look like, learnt from those before.
//!
//! Between two values of a record, or a bracket and a value, stand a name, punctuation, closing
//! brackets and white space: a gap.
//! Records of one source are alike, so what follows a gap is most often what followed it before. It
//! is enough then to compare bytes: within the same brackets, and behind a value or behind the
//! opening bracket, the same bytes lead to the same place, which the walker found strictly the first
//! time. Nothing here decides what is valid; a gap that is
//! not known is the walker's to cross.

use std::collections::HashMap;
use std::ops::Range;

use super::notes::Notes;
use crate::lanes::{self, Block, LANES, MaskedBlock};
use crate::projection::NodeId;

/// Places in the index of gaps by their first name; a power of two.
const INDEXED: usize = 128;
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
    /// What followed each gap, the latest first
    followers: Vec<[Follower; 2]>,
    /// The two latest gaps of each first name, where members come in any order: for each nesting
    /// those behind a value, and then those behind the opening bracket, where no comma can stand
    by_first_name: Vec<[Follower; 2]>,
    /// What gaps have behind their first two blocks
    blocks: Vec<MaskedBlock>,
    has_line_breaks: bool,
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
    /// A value that lies in one piece is noted in a slot, which may be one that nobody reads
    Value(u32),
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
    /// The sixteen bytes behind the [`Follower::first`]
    second: MaskedBlock,
    /// The blocks behind those
    rest: (u32, u32),
    crossing: Crossing,
    /// Where in the index those begin that may follow
    index: usize,
}

/// A gap that may be next, and what has to be known of it most often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follower {
    first: MaskedBlock,
    /// Of all its bytes
    pub(super) length: u16,
    pub(super) gap: GapId,
    pub(super) shortcut: Shortcut,
}

impl Follower {
    /// Stands for a gap that was not learnt.
    const NONE: Self = Self {
        first: MaskedBlock::NEVER,
        length: 0,
        gap: Layout::UNKNOWN,
        shortcut: Shortcut::None,
    };
}

/// Puts the latest first and forgets the one before the last.
fn remember(followers: &mut [Follower; 2], latest: Follower) {
    let [first, second] = followers;
    if first.gap != latest.gap {
        *second = std::mem::replace(first, latest);
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

/// The second special byte of a gap that begins so: most often its name's closing quote, behind a
/// line break the opening one. A place behind the block if it has none.
fn name_end(block: &Block) -> u32 {
    let ends = lanes::string_specials(block);
    (ends & ends.wrapping_sub(1)).trailing_zeros()
}

/// Where a gap that begins so is among those of its place in the index: by the bytes up to the
/// [`name_end`].
#[inline(always)]
fn hashed(block: &Block, name_end: u32) -> usize {
    let own = UP_TO.get(name_end as usize).copied().unwrap_or(u128::MAX);
    let bits = u128::from_le_bytes(*block) & own;
    let mixed = ((bits >> 64) as u64 ^ bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % INDEXED
}

/// Where in the index those begin that may follow what a crossing leads to.
fn index_behind(crossing: Crossing) -> usize {
    let is_behind_bracket = matches!(crossing.next, Next::Inside(_));
    (2 * usize::from(crossing.nesting.0) + usize::from(is_behind_bracket)) * INDEXED
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
        };
        let crossing = Crossing { nesting: Self::OUTSIDE, next: Next::End };
        let outside_gap = || Gap {
            second: MaskedBlock::NEVER,
            rest: (0, 0),
            crossing,
            index: index_behind(crossing),
        };
        Self {
            nestings: vec![outside],
            gaps: vec![outside_gap(), outside_gap()],
            followers: vec![[Follower::NONE; 2]; 2],
            by_first_name: vec![[Follower::NONE; 2]; 2 * INDEXED],
            blocks: Vec::new(),
            has_line_breaks: false,
        }
    }

    /// Whether there are line breaks in any gap that was learnt.
    pub(super) fn has_line_breaks(&self) -> bool {
        self.has_line_breaks
    }

    /// The gap at `at` behind another one, if it is one that followed before.
    #[inline(always)]
    pub(super) fn guess(&self, last: GapId, bytes: &[u8], at: usize) -> Option<&Follower> {
        let block = lanes::block(bytes, at)?;
        self.either(&self.followers[usize::from(last.0)], block, bytes, at)
    }

    /// The same where members come in any order: gaps are found by their first names. Rarely needed
    /// where they come in the order of the record before.
    #[inline(never)]
    pub(super) fn by_name(&self, last: GapId, bytes: &[u8], at: usize) -> Option<&Follower> {
        self.by_name_up_to(name_end(lanes::block(bytes, at)?), last, bytes, at)
    }

    /// The same where the [`name_end`] is known, or is that of more bytes than a block.
    #[inline(always)]
    pub(super) fn by_name_up_to(
        &self,
        name_end: u32,
        last: GapId,
        bytes: &[u8],
        at: usize,
    ) -> Option<&Follower> {
        let block = lanes::block(bytes, at)?;
        let place = self.gaps[usize::from(last.0)].index + hashed(block, name_end);
        self.either(&self.by_first_name[place], block, bytes, at)
    }

    #[inline(always)]
    fn either<'a>(
        &self,
        [latest, other]: &'a [Follower; 2],
        block: &Block,
        bytes: &[u8],
        at: usize,
    ) -> Option<&'a Follower> {
        if self.is_at(latest, block, bytes, at) {
            return Some(latest);
        }
        self.is_at(other, block, bytes, at).then_some(other)
    }

    /// Whether the block and the bytes at `at` are that gap's.
    #[inline(always)]
    fn is_at(&self, gap: &Follower, block: &Block, bytes: &[u8], at: usize) -> bool {
        gap.first.is(block)
            && (usize::from(gap.length) <= LANES || self.has_rest(gap, bytes, at + LANES))
    }

    #[inline(always)]
    fn has_rest(&self, follower: &Follower, bytes: &[u8], at: usize) -> bool {
        let gap = &self.gaps[usize::from(follower.gap.0)];
        lanes::block(bytes, at).is_some_and(|block| gap.second.is(block))
            && (usize::from(follower.length) <= 2 * LANES
                || self.has_long_rest(gap, bytes, at + LANES))
    }

    #[inline(never)]
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
    pub(super) fn learn(
        &mut self,
        last: GapId,
        bytes: &[u8],
        range: Range<usize>,
        crossing: Crossing,
    ) -> GapId {
        let text = &bytes[range.clone()];
        let from = usize::from(self.crossing(last).nesting.0);
        let known = &self.nestings[from].known;
        let gap = match known.get(text) {
            Some(gap) => *gap,
            None if text.len() > LONGEST_GAP || known.len() == MOST_GAPS => {
                let unknown = &mut self.gaps[usize::from(Self::UNKNOWN.0)];
                unknown.crossing = crossing;
                unknown.index = index_behind(crossing);
                return Self::UNKNOWN;
            }
            None => {
                let gap = self.add(text, crossing);
                self.nestings[from].known.insert(text.into(), gap);
                gap
            }
        };
        let follower = self.follower(gap, text);
        if let Some(block) = lanes::block(bytes, range.start) {
            let place = self.gaps[usize::from(last.0)].index + hashed(block, name_end(block));
            remember(&mut self.by_first_name[place], follower);
        }
        self.follow(last, follower);
        gap
    }

    /// Remembers that a gap followed another one.
    pub(super) fn follow(&mut self, last: GapId, follower: Follower) {
        // Of what has not been learnt it is not known what followed.
        if last != Self::UNKNOWN {
            remember(&mut self.followers[usize::from(last.0)], follower);
        }
    }

    fn add(&mut self, text: &[u8], crossing: Crossing) -> GapId {
        let first = self.blocks.len() as u32;
        let mut blocks = text.chunks(LANES).skip(1).map(MaskedBlock::new);
        let second = blocks.next().unwrap_or(MaskedBlock::NEVER);
        self.blocks.extend(blocks);
        let (rest, index) = ((first, self.blocks.len() as u32), index_behind(crossing));
        self.gaps.push(Gap { second, rest, crossing, index });
        self.followers.push([Follower::NONE; 2]);
        self.has_line_breaks |= text.contains(&b'\n');
        GapId(self.gaps.len() as u16 - 1)
    }

    fn follower(&self, gap: GapId, text: &[u8]) -> Follower {
        let shortcut = match self.crossing(gap).next {
            Next::End => Shortcut::End,
            Next::Inside(None) => Shortcut::GoInside,
            Next::Skipped => Shortcut::Value(Notes::UNREAD),
            Next::Noted(slot) => Shortcut::Value(slot),
            Next::Inside(Some(_)) | Next::Walked(_) => Shortcut::None,
        };
        Follower { first: MaskedBlock::new(text), length: text.len() as u16, gap, shortcut }
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
            self.nestings.push(Nesting { outer, bracket, node, depth, known: HashMap::new() });
            let places = 2 * self.nestings.len() * INDEXED;
            self.by_first_name.resize(places, [Follower::NONE; 2]);
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
