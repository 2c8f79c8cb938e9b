//! Random damage.

/// Numbers that look random and are the same for the same seed: xorshift64* by Sebastiano Vigna.
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // The first numbers of similar seeds are similar.
        for _ in 0..8 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number from 0 to `limit - 1`; 0 for no limit.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % limit.max(1)
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// Pieces whose meaning depends on what stands around them.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "/",
    "//",
    "/*",
    "*/",
    "\"",
    "'",
    ";",
    ",",
    ":",
    "::",
    ".",
    "..",
    "->",
    "@",
    "@@",
    "$",
    "#",
    "=",
    "==",
    "+=",
    "++",
    "--",
    "-",
    "*",
    "&",
    "&&",
    "||",
    "!",
    "~",
    "?",
    "?:",
    "<<",
    ">>",
    "%",
    "\\",
    "\n",
    "\r\n",
    "\0",
    "\t",
    " ",
    "\u{feff}",
    "\u{20ac}",
    "_",
    "0",
    "1",
    "-1",
    "0x",
    "1e9",
    "1e99",
    "10ms",
    "256",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "$1",
    "$0",
    "$#",
    "$x",
    "@m",
    "@m[1]",
    "@m[1,2]",
    "(1,2)",
    "(1,)",
    "()",
    "(int8)",
    "(uint64)",
    "(struct task_struct *)",
    "int8[4]",
    "string[8]",
    "args",
    "args.x",
    "curtask",
    "curtask.pid",
    "*curtask",
    "ctx",
    "comm",
    "pid",
    "nsecs",
    "retval",
    "arg0",
    "probe",
    "ustack",
    "kstack(raw)",
    "count()",
    "sum(1)",
    "hist(pid)",
    "lhist(pid,0,10,1)",
    "avg(1)",
    "stats(1)",
    "str(0)",
    "buf(0,8)",
    "printf(\"%d\", 1)",
    "printf(\"%s %r %p\\n\", 1)",
    "print(@m)",
    "clear(@m)",
    "delete(@m,1)",
    "sizeof(",
    "offsetof(",
    "typeof(",
    "if",
    "else",
    "while",
    "for",
    "unroll",
    "break",
    "continue",
    "return",
    "let",
    "macro",
    "fn",
    "import",
    "config",
    "comptime",
    "struct",
    "union",
    "enum",
    "typedef",
    "#define",
    "#include",
    "#if",
    "#endif",
    "BEGIN",
    "end",
    "kprobe:",
    "kprobe:vfs_*",
    "uprobe:/bin/sh:main",
    "tracepoint:syscalls:sys_enter_openat",
    "t:",
    "interval:s:1",
    "profile:hz:99",
    "usdt:",
    "software:",
    "hardware:",
    "fentry:vfs_read",
    "iter:task",
    "watchpoint:0x1:8:w",
    "self:signal:SIGUSR1",
    "test:x",
    "=>",
    "match",
    "true",
    "false",
    "NULL",
    "max_strlen = 64",
    "\"\\xff\"",
    "\"\\777\"",
    "%",
    "static_assert(",
];

/// A damaged copy of one of `texts`, at most [`LONGEST`] bytes.
pub fn mutant(random: &mut Random, texts: &[Vec<u8>]) -> Vec<u8> {
    let mut text = random.pick(texts).clone();
    // Most of the time little is changed, so that much of the text is still understood.
    let changes = 1 + random.below(2) * random.below(6);
    for _ in 0..changes {
        change(random, &mut text, texts);
    }
    text.truncate(LONGEST);
    text
}

/// Length limit of a text; what is longer only takes time.
const LONGEST: usize = 20_000;

fn change(random: &mut Random, text: &mut Vec<u8>, texts: &[Vec<u8>]) {
    let at = random.below(text.len() + 1);
    match random.below(12) {
        0 => drop(text.drain(range(random, text, 4))),
        1 => drop(text.drain(token(text, at))),
        2 | 3 => insert(text, at, random.pick(PIECES).as_bytes()),
        4 | 5 => {
            // Another word or number in the place of one.
            let place = token(text, at);
            text.splice(place, random.pick(PIECES).bytes());
        }
        6 => {
            let copy = text[range(random, text, 40)].to_vec();
            insert(text, at, &copy);
        }
        7 => {
            let other = random.pick(texts);
            let piece = other[range(random, other, 60)].to_vec();
            insert(text, at, &piece);
        }
        8 => {
            // The token of another text, so that names meet other types.
            let other = random.pick(texts);
            let piece = other[token(other, random.below(other.len()))].to_vec();
            let place = token(text, at);
            text.splice(place, piece);
        }
        9 => {
            let piece = random.pick(PIECES).repeat(1 + random.below(300));
            insert(text, at, piece.as_bytes());
        }
        10 => {
            if let Some(byte) = text.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        _ => {
            let (first, second) = (token(text, at), token(text, random.below(text.len())));
            if first.end <= second.start {
                let moved: Vec<u8> = text[second.clone()].to_vec();
                let kept: Vec<u8> = text[first.clone()].to_vec();
                text.splice(second, kept);
                text.splice(first, moved);
            }
        }
    }
}

fn insert(text: &mut Vec<u8>, at: usize, piece: &[u8]) {
    text.splice(at..at, piece.iter().copied());
}

/// A range of up to `longest` bytes.
fn range(random: &mut Random, text: &[u8], longest: usize) -> std::ops::Range<usize> {
    let start = random.below(text.len() + 1);
    let end = (start + 1 + random.below(longest)).min(text.len());
    start..end.max(start)
}

/// The word, number or sign at a place.
fn token(text: &[u8], at: usize) -> std::ops::Range<usize> {
    let is_word = |at: usize| text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let at = at.min(text.len());
    if !is_word(at) {
        return at..(at + 1).min(text.len());
    }
    let start = (0..at).rev().take_while(|at| is_word(*at)).last().unwrap_or(at);
    let end = (at..text.len()).take_while(|at| is_word(*at)).last().map_or(at, |last| last + 1);
    start..end
}
