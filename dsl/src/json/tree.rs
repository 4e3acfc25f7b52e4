//! JSON as a tree with places, and the place of a byte as a JSON Pointer.

use crate::ast::{Span, Text};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Json {
    pub(super) node: Node,
    pub(super) span: Span,
}

/// What a value is. Numbers stay as they are written: no rounding to binary.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// In the order of the text, repeated names included.
    Object(Vec<Member>),
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) name: Text,
    pub(super) value: Json,
}

const NOWHERE: Span = Span { start: 0, end: 0 };

/// Trees that are made to be written have no places.
impl Json {
    pub(super) fn text(text: &str) -> Self {
        Node::Text(text.to_owned()).into()
    }

    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Node::List(items.into_iter().collect()).into()
    }

    pub(super) fn object(members: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let member = |(name, value): (&str, Self)| Member {
            name: Text { text: name.to_owned(), span: NOWHERE },
            value,
        };
        Node::Object(members.into_iter().map(member).collect()).into()
    }

    /// The same with words that say what they are made words that do not, as they stand in the text form.
    pub(super) fn with_bare_words(self) -> Self {
        let node = match self.node {
            Node::List(items) => Node::List(items.into_iter().map(Self::with_bare_words).collect()),
            Node::Object(mut members) => {
                if let [only] = members.as_mut_slice()
                    && ["field", "day"].contains(&only.name.text.as_str())
                {
                    "category".clone_into(&mut only.name.text);
                }
                let bare = |member: Member| Member { value: member.value.with_bare_words(), ..member };
                Node::Object(members.into_iter().map(bare).collect())
            }
            other @ (Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_)) => other,
        };
        Self { node, span: self.span }
    }

    /// For messages.
    pub(super) fn describe(&self) -> &'static str {
        match &self.node {
            Node::Null => "null",
            Node::Bool(_) => "true or false",
            Node::Number(_) => "a number",
            Node::Text(_) => "a string",
            Node::List(_) => "a list",
            Node::Object(_) => "an object",
        }
    }

    /// Names and values of an object.
    pub(super) fn members(&self) -> &[Member] {
        match &self.node {
            Node::Object(members) => members,
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => &[],
        }
    }

    /// The JSON Pointer (RFC 6901) of the innermost value that holds all of a span; empty for the whole text.
    pub(super) fn pointer(&self, span: Span) -> String {
        let holds = |start: usize, end: usize| start <= span.start && span.end <= end;
        let mut pointer = String::new();
        let mut at = self;
        loop {
            let inner = match &at.node {
                Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => None,
                Node::List(items) => {
                    let index = items.partition_point(|item| item.span.end < span.end);
                    let item = items.get(index).filter(|item| holds(item.span.start, item.span.end));
                    item.map(|item| (index.to_string(), item))
                }
                Node::Object(members) => {
                    let index = members.partition_point(|member| member.value.span.end < span.end);
                    let member = members.get(index);
                    let member = member.filter(|member| holds(member.name.span.start, member.value.span.end));
                    member.map(|member| {
                        let name = crate::lex::short(&member.name.text);
                        (name.replace('~', "~0").replace('/', "~1"), &member.value)
                    })
                }
            };
            let Some((step, value)) = inner else { return pointer };
            pointer.push('/');
            pointer.push_str(&step);
            at = value;
        }
    }
}

impl From<Node> for Json {
    fn from(node: Node) -> Self {
        Self { node, span: NOWHERE }
    }
}
