//! The plan's paths as a tree, walked beside each record.

use personalize_plan::{FieldSource, SourcePath, Step};

use crate::value::Slot;

/// Which values of a record are wanted, by where they lie.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    nodes: Vec<Node>,
    fixed: usize,
    elements: usize,
}

/// A place in a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) slot: Option<Slot>,
    pub(crate) members: Vec<Member>,
    pub(crate) by_index: Vec<(usize, NodeId)>,
    pub(crate) each: Option<NodeId>,
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    name: String,
    lower: String,
    pub(crate) node: NodeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl Projection {
    pub(crate) const ROOT: NodeId = NodeId(0);

    /// A projection that wants nothing.
    pub(crate) fn empty() -> Self {
        Self { nodes: vec![Node::default()], fixed: 0, elements: 0 }
    }

    /// A projection that wants all of a record.
    pub(crate) fn everything() -> Self {
        let root = Node { slot: Some(Slot::Fixed(0)), ..Node::default() };
        Self { nodes: vec![root], fixed: 1, elements: 0 }
    }

    /// The slot of a path, which is added if it is new.
    pub(crate) fn add(&mut self, path: &SourcePath) -> Slot {
        let mut at = Self::ROOT;
        let mut in_element = false;
        for step in path.steps() {
            at = match step {
                Step::Name(name) => self.member(at, name),
                Step::Index(index) => self.index(at, *index),
                Step::Each => {
                    in_element = true;
                    self.each(at)
                }
            };
        }
        if let Some(slot) = self.nodes[at.index()].slot {
            return slot;
        }
        let count = if in_element { &mut self.elements } else { &mut self.fixed };
        let slot = if in_element { Slot::Element(*count) } else { Slot::Fixed(*count) };
        *count += 1;
        self.nodes[at.index()].slot = Some(slot);
        slot
    }

    /// The slot of a field's source; partition keys are counted as the plan lists them.
    pub(crate) fn add_source(&mut self, source: &FieldSource, partition_keys: &[String]) -> Slot {
        match source {
            FieldSource::Path(path) => self.add(path),
            FieldSource::PartitionKey(key) => {
                let at = partition_keys.iter().position(|known| known == key);
                Slot::Partition(at.unwrap_or(partition_keys.len()))
            }
        }
    }

    /// How many slots there are per record and per element.
    pub(crate) fn slots(&self) -> (usize, usize) {
        (self.fixed, self.elements)
    }

    /// How many places there are.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    fn new_node(&mut self) -> NodeId {
        self.nodes.push(Node::default());
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn member(&mut self, at: NodeId, name: &str) -> NodeId {
        if let Some(node) = self.node(at).find_decoded(name) {
            return node;
        }
        let node = self.new_node();
        let member = Member { name: name.to_owned(), lower: name.to_lowercase(), node };
        self.nodes[at.index()].members.push(member);
        node
    }

    fn index(&mut self, at: NodeId, index: usize) -> NodeId {
        if let Some((_, node)) =
            self.nodes[at.index()].by_index.iter().find(|(known, _)| *known == index)
        {
            return *node;
        }
        let node = self.new_node();
        self.nodes[at.index()].by_index.push((index, node));
        node
    }

    fn each(&mut self, at: NodeId) -> NodeId {
        if let Some(node) = self.nodes[at.index()].each {
            return node;
        }
        let node = self.new_node();
        self.nodes[at.index()].each = Some(node);
        node
    }
}

impl Node {
    /// The member whose name the raw key is, for keys without escapes.
    pub(crate) fn find_raw(&self, key: &[u8]) -> Option<NodeId> {
        let same = |member: &&Member| {
            let name = member.name.as_bytes();
            name.len() == key.len() && (name == key || name.eq_ignore_ascii_case(key))
        };
        if let Some(member) = self.members.iter().find(same) {
            return Some(member.node);
        }
        if self.members.is_empty() || key.is_ascii() {
            return None;
        }
        self.find_decoded(std::str::from_utf8(key).ok()?)
    }

    /// The member of that name, ignoring case.
    pub(crate) fn find_decoded(&self, name: &str) -> Option<NodeId> {
        let lower = name.to_lowercase();
        self.members.iter().find(|member| member.lower == lower).map(|member| member.node)
    }

    /// The members' names in lower case, and their places.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, NodeId)> {
        self.members.iter().map(|member| (member.lower.as_str(), member.node))
    }

    /// Whether anything inside the value at this place is wanted.
    pub(crate) fn is_leaf(&self) -> bool {
        self.members.is_empty() && self.by_index.is_empty() && self.each.is_none()
    }
}
