//! C definitions: the text stays as it is, but for the indentation of lines.

use super::INDENT;

/// Prints a preprocessor line or a declaration.
pub(super) fn print(text: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::default();
    let mut out = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii_end();
        if index > 0 {
            out.push(b'\n');
        }
        let content = line.trim_ascii_start();
        let verbatim = index == 0 || content.is_empty() || scanner.continues;
        match (verbatim, scanner.comment, content) {
            (true, ..) => out.extend_from_slice(line),
            (_, true, [b'*', ..]) => scanner.indented(content, b" ", &mut out),
            (_, true, _) => out.extend_from_slice(line),
            (_, false, [b'#', ..]) => out.extend_from_slice(content),
            _ => scanner.indented(content, b"", &mut out),
        }
        scanner.read(content);
    }
    out
}

/// What the lines so far have opened.
#[derive(Default)]
struct Scanner {
    depth: usize,
    comment: bool,
    /// The line before ends in a backslash.
    continues: bool,
}

impl Scanner {
    fn indented(&self, content: &[u8], more: &[u8], out: &mut Vec<u8>) {
        let closes = !self.comment && content.starts_with(b"}");
        out.resize(out.len() + (self.depth - usize::from(closes && self.depth > 0)) * INDENT, b' ');
        out.extend_from_slice(more);
        out.extend_from_slice(content);
    }

    fn read(&mut self, line: &[u8]) {
        self.continues = line.ends_with(b"\\");
        let mut at = 0;
        while let Some(byte) = line.get(at) {
            let rest = &line[at..];
            let pair = rest.get(..2).unwrap_or_default();
            at += match (self.comment, pair, byte) {
                (true, b"*/", _) => {
                    self.comment = false;
                    2
                }
                (true, ..) => 1,
                (false, b"/*", _) => {
                    self.comment = true;
                    2
                }
                (false, b"//", _) => return,
                (false, _, b'"' | b'\'') => quoted(rest),
                (false, _, b'{') => {
                    self.depth += 1;
                    1
                }
                (false, _, b'}') => {
                    self.depth = self.depth.saturating_sub(1);
                    1
                }
                _ => 1,
            };
        }
    }
}

/// The length of the quoted text that begins here.
fn quoted(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        at += match byte {
            b'\\' => 2,
            byte if *byte == text[0] => return at + 1,
            _ => 1,
        };
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::print;

    #[test]
    fn lines_are_indented_by_their_braces() {
        let text = b"struct x {\n\tint a; // {\n union {\n   char b;   \n};\n/* {\n* c\n  d */\n#define Q '{'\n int e[Q]; };";
        let expected = "struct x {\n  int a; // {\n  union {\n    char b;\n  };\n  /* {\n   * c\n  d */\n#define Q '{'\n  int e[Q]; };";
        assert_eq!(String::from_utf8_lossy(&print(text)), expected);
    }
}
