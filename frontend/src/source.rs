//! Source files and positions in them.
//!
//! Every later stage speaks about places only through [`Span`]; the texts themselves live in one [`Sources`].

use std::fmt;

/// Number of a file in a [`Sources`], by order of loading; the user's script is number 0.
///
/// The upper half of the numbers stands for expansions of macros: the text of such a "file" is that of the file in which
/// the macro is defined, and its number tells one call from another ([`Sources::expansion`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId(pub u32);

/// Numbers from here on are expansions.
const FIRST_EXPANSION: u32 = 1 << 31;

/// A half-open range of bytes `start..end` in one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `file`.
    #[must_use]
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { file, start: clamp(start), end: clamp(end) }
    }

    /// The smallest range that covers both; `other` must lie in the same file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty range just behind this one, where something missing should have stood.
    #[must_use]
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }

    /// The empty range at the start of this one.
    #[must_use]
    pub fn before(self) -> Self {
        Self { end: self.start, ..self }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// True for a range that covers nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The range as indices of the file's text.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}..{}", self.file.0, self.start, self.end)
    }
}

/// A line and a column, both from 1; columns count bytes, as the reference implementation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line from 1.
    pub line: u32,
    /// Byte column from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One file: its name for messages and its content.
#[derive(Clone, Debug)]
pub struct Source {
    id: FileId,
    name: String,
    bytes: Vec<u8>,
    text: String,
    line_starts: Vec<u32>,
    import: Option<Span>,
}

impl Source {
    /// Takes the content of a file as it stands on disk.
    ///
    /// Scripts are bytes, not UTF-8. The parser works on a text of the same length in which every byte that is not part
    /// of valid UTF-8 is the control character SUBSTITUTE, which no rule of the language knows; string literals are read from the bytes, so nothing is lost.
    #[must_use]
    pub fn new(id: FileId, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let text = same_length_text(&bytes);
        let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let line_starts = std::iter::once(0).chain(starts.map(|(at, _)| at as u32 + 1)).collect();
        Self { id, name: name.into(), bytes, text, line_starts, import: None }
    }

    /// The number of this file.
    #[must_use]
    pub fn id(&self) -> FileId {
        self.id
    }

    /// The name shown in messages: a path, `stdin`, or the compiler's own name for a library file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content, exactly.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The content as text, with the same byte offsets as [`Source::bytes`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The span of `start..end` in this file.
    #[must_use]
    pub fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.id, start, end)
    }

    /// The bytes of a span; a span beyond the end is cut.
    #[must_use]
    pub fn slice(&self, span: Span) -> &[u8] {
        let end = (span.end as usize).min(self.bytes.len());
        &self.bytes[(span.start as usize).min(end)..end]
    }

    /// The text of a span; empty when the span cuts a character.
    #[must_use]
    pub fn text_of(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Line and column of a byte offset; offsets beyond the end mean the end.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let offset = offset.min(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        let line = self.line_starts.partition_point(|start| *start <= offset);
        Position { line: line as u32, column: offset - self.line_starts[line - 1] + 1 }
    }
}

/// What stands in the text for a byte that is not part of UTF-8.
pub(crate) const SUBSTITUTE: char = '\u{1a}';

/// Decodes UTF-8 and writes one [`SUBSTITUTE`] for each byte which is not part of it.
fn same_length_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| SUBSTITUTE));
    }
    text
}

/// One call of a macro.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// The file in which the macro is defined.
    pub file: FileId,
    /// The macro's name.
    pub name: String,
    /// The call, which may itself lie in an expansion.
    pub call: Span,
}

/// All files of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
    expansions: Vec<Expansion>,
}

impl Sources {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file and gives its number.
    pub fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source::new(id, name, bytes));
        id
    }

    /// Whether a word stands in any file: then the script may mean it.
    #[must_use]
    pub fn mention(&self, word: &str) -> bool {
        self.files.iter().any(|file| file.text.contains(word))
    }

    /// Adds a file for the sake of an `import` at `at`, and gives its number.
    pub fn add_import(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, at: Span) -> FileId {
        let id = self.add(name, bytes);
        self.files[id.0 as usize].import = Some(at);
        id
    }

    /// The `import` that brought a file.
    #[must_use]
    pub fn import_of(&self, id: FileId) -> Option<Span> {
        self.get(id).import
    }

    /// Notes a call of a macro that is defined in `file`, and gives the number that places in this copy of its body have.
    pub fn add_expansion(&mut self, file: FileId, name: &str, call: Span) -> FileId {
        let number = u32::try_from(self.expansions.len()).unwrap_or(FIRST_EXPANSION - 1);
        self.expansions.push(Expansion { file, name: name.to_owned(), call });
        FileId(FIRST_EXPANSION | number)
    }

    /// The call that a number stands for; `None` for a file.
    #[must_use]
    pub fn expansion(&self, id: FileId) -> Option<&Expansion> {
        let index = id.0.checked_sub(FIRST_EXPANSION)?;
        self.expansions.get(index as usize)
    }

    /// The file of a number given by [`Sources::add`] of this same value; of an expansion, the file with the macro.
    ///
    /// # Panics
    /// When the number belongs to another `Sources`, which is a defect of the compiler.
    #[must_use]
    pub fn get(&self, id: FileId) -> &Source {
        let file = self.expansion(id).map_or(id, |expansion| expansion.file);
        &self.files[file.0 as usize]
    }

    /// The place in a file of a place that may lie in an expansion.
    #[must_use]
    pub fn written(&self, span: Span) -> Span {
        Span { file: self.get(span.file).id, ..span }
    }

    /// The place in the user's script to which a place belongs: the call of the outermost macro, the `import` of the
    /// outermost file.
    #[must_use]
    pub fn in_script(&self, span: Span) -> Span {
        let mut span = span;
        loop {
            let outer = match self.expansion(span.file) {
                Some(expansion) => Some(expansion.call),
                None => self.get(span.file).import,
            };
            match outer {
                Some(outer) => span = outer,
                None => return span,
            }
        }
    }

    /// All files by number.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// Line and column where a span begins.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        self.get(span.file).position(span.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_byte_columns_from_one() {
        let source = Source::new(FileId(0), "t", "ab\n\ncd");
        let at = |offset| source.position(offset).to_string();
        assert_eq!([at(0), at(2), at(3), at(4), at(5), at(99)], ["1:1", "1:3", "2:1", "3:1", "3:2", "3:3"]);
    }

    #[test]
    fn invalid_utf8_keeps_every_offset() {
        let source = Source::new(FileId(0), "t", b"\"\xff\xe2\x82\" x\xc3\xa9".to_vec());
        assert_eq!(source.text(), "\"\u{1a}\u{1a}\u{1a}\" x\u{e9}");
        assert_eq!(source.text().len(), source.bytes().len());
        assert_eq!(source.slice(source.span(1, 4)), b"\xff\xe2\x82");
    }
}
