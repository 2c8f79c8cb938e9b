//! What `btaot explain CODE` says: why a code exists, a text that provokes it, and what to write instead.

use super::Code;

/// The long form of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// A paragraph.
    pub text: &'static str,
    /// A script that has the problem; empty when it needs more than a script.
    pub wrong: &'static str,
    /// The script without it; empty when the remedy lies elsewhere.
    pub right: &'static str,
}

/// Declares the explanations, one for each code.
macro_rules! explanations {
    ($($variant:ident: $text:literal, $wrong:literal, $right:literal;)*) => {
        impl Code {
            /// The long form of this code.
            #[must_use]
            pub fn explain(self) -> Explanation {
                match self {
                    $(Self::$variant => Explanation { text: $text, wrong: $wrong, right: $right },)*
                }
            }
        }
    };
}

explanations! {
    UnclosedString:
        "A string ends with `\"` on the line where it begins. For a line break in the text write `\\n`.",
        "begin { printf(\"hello); }",
        "begin { printf(\"hello\"); }";
    BadEscape:
        "A backslash in a string begins an escape: `\\n`, `\\t`, `\\r`, `\\\"`, `\\\\`, up to three octal digits, or `\\x` \
         with hexadecimal digits. For a backslash itself write two.",
        "begin { printf(\"C:\\dir\"); }",
        "begin { printf(\"C:\\\\dir\"); }";
    BadInteger:
        "Integers are decimal, hexadecimal (`0x1f`) or octal (`017`), with `_` between digits, a suffix such as `u` or \
         `ull`, or a unit of time from `ns` to `d`.",
        "begin { print(08); }",
        "begin { print(8); }";
    IntegerTooLarge:
        "An integer literal has at most 64 bits, unsigned.",
        "begin { print(18446744073709551616); }",
        "begin { print(18446744073709551615); }";
    UnclosedComment:
        "A comment that begins with `/*` goes on to the next `*/`. Comments do not nest.",
        "begin { /* start\n  print(1); }",
        "begin { /* start */\n  print(1); }";
    UnclosedBracket:
        "Every `(`, `[` and `{` needs its partner. The place shown is the bracket that has none.",
        "begin { if (pid == 1) { exit(); }",
        "begin { if (pid == 1) { exit(); } }";
    TooDeep:
        "Expressions and blocks may nest some hundred levels, which no script written by hand reaches. Keep \
         intermediate results in variables.",
        "", "";
    Syntax:
        "The parser read the script up to this place and cannot go on. The message names what could have stood here.",
        "begin { $x = ; }",
        "begin { $x = 1; }";
    MissingSemicolon:
        "Statements are separated by `;`. It may be left out before the closing brace only.",
        "begin { $x = 1 print($x); }",
        "begin { $x = 1; print($x); }";
    TopLevelOrder:
        "A script begins with C definitions and `#include` lines; the config block and imports follow; then come map \
         declarations, macros, functions and probes in any order.",
        "begin { exit(); } config = { max_strlen = 64 }",
        "config = { max_strlen = 64 } begin { exit(); }";
    DuplicateConfig:
        "All settings stand in one block.",
        "config = { max_strlen = 64 } config = { stack_mode = perf } begin { exit(); }",
        "config = { max_strlen = 64; stack_mode = perf } begin { exit(); }";
    ReservedName:
        "Builtins such as `pid` keep their meaning everywhere, so they cannot name a parameter.",
        "macro show(pid) { print(pid) } begin { show(1); }",
        "macro show(number) { print(number) } begin { show(1); }";
    DuplicateParameter:
        "Two parameters of the same name could not be told apart.",
        "macro add(a, a) { a + a } begin { print(add(1, 2)); }",
        "macro add(a, b) { a + b } begin { print(add(1, 2)); }";
    BadPositional:
        "The arguments of a tool are `$1`, `$2` and so on; `$#` is their number. There is no `$0`.",
        "begin { print($0); }",
        "begin { print($1); }";
    CSyntax:
        "Scripts may define structs, unions, enums and typedefs as in C. Functions, variables and what else C has \
         mean nothing in a script.",
        "struct pair { int a; int }; begin { exit(); }",
        "struct pair { int a; int b; }; begin { exit(); }";
    CPreprocessor:
        "`#include`, `#define`, `#undef` and conditionals are obeyed. Each `#if` needs its `#endif`.",
        "#ifdef DEBUG\nbegin { exit(); }",
        "#ifdef DEBUG\n#endif\nbegin { exit(); }";
    CRedefinition:
        "A struct, union, enum, typedef or enumerator has one definition.",
        "struct s { int a; }; struct s { int b; }; begin { exit(); }",
        "struct s { int a; int b; }; begin { exit(); }";
    MissingInclude:
        "The header is not where it was looked for. Kernel types need no header where the kernel has BTF.",
        "#include <linux/no_such_header.h>\nbegin { exit(); }",
        "begin { exit(); }";
    CIncomplete:
        "A field needs a type of known size. A type that is only named can stand behind a pointer.",
        "struct outer { struct inner field; }; begin { exit(); }",
        "struct outer { struct inner *field; }; begin { exit(); }";
    UnknownProvider:
        "An attach point begins with a probe type. `btaot help` lists them.",
        "krpobe:vfs_read { exit(); }",
        "kprobe:vfs_read { exit(); }";
    AttachPointParts:
        "Each probe type has its own parts, separated by colons. `btaot help PROBE` shows the forms.",
        "tracepoint:sched { exit(); }",
        "tracepoint:sched:sched_switch { exit(); }";
    BadAttachPart:
        "A part has its own form: a rate is a number from 1, a unit is one of `hz`, `s`, `ms` and `us`, an address is a \
         number.",
        "interval:s:0 { exit(); }",
        "interval:s:1 { exit(); }";
    WildcardNotAllowed:
        "Patterns match names on the target. Where there is nothing to match, or where one place is meant, they have no \
         meaning.",
        "kprobe:vfs_*+4 { exit(); }",
        "kprobe:vfs_read+4 { exit(); }";
    UnknownPerfEvent:
        "`software` and `hardware` probes count events of a fixed list, which `btaot help software` leads to.",
        "software:page-fault:100 { @ = count(); }",
        "software:page-faults:100 { @ = count(); }";
    ProbeMix:
        "An action is compiled for the context of its probes. Types whose contexts differ need clauses of their own.",
        "", "";
    UnresolvedPositional:
        "What a tool traces is fixed when it is compiled. A parameter that shapes an attach point must be given then.",
        "kprobe:$1 { @ = count(); }",
        "kprobe:vfs_read { @ = count(); }";
    UnknownIdentifier:
        "A bare name is a builtin, a macro, an enumerator or a `#define`. Variables begin with `$`, maps with `@`.",
        "begin { $count = 1; print(count); }",
        "begin { $count = 1; print($count); }";
    UnknownFunction:
        "There is no function or macro of this name. `btaot help` lists the functions.",
        "begin { prnt(1); }",
        "begin { print(1); }";
    UndefinedVariable:
        "A variable exists from its first assignment to the end of the block it stands in.",
        "begin { if (pid > 1) { $x = 1; } print($x); }",
        "begin { let $x = 0; if (pid > 1) { $x = 1; } print($x); }";
    UndefinedMap:
        "A map gets its types from what is stored in it, so a map that nothing stores in has none.",
        "begin { print(@count); }",
        "begin { @count = 1; print(@count); }";
    Redeclared:
        "A name is declared once in its scope, and an inner one may not hide an outer one.",
        "begin { let $x = 1; let $x = 2; }",
        "begin { let $x = 1; $x = 2; }";
    UnknownType:
        "The type is not one of the language, is not defined in the script, and the target's type information does not \
         have it.",
        "struct pair { int a; int b; }; begin { print(sizeof(struct pear)); }",
        "struct pair { int a; int b; }; begin { print(sizeof(struct pair)); }";
    UnknownField:
        "The struct, union, record or argument list has no field of this name. Kernel structures differ between \
         releases.",
        "struct pair { int a; int b; }; begin { $p = (struct pair *)0; print($p.c); }",
        "struct pair { int a; int b; }; begin { $p = (struct pair *)0; print($p.b); }";
    MacroRecursion:
        "A macro is replaced by its body, which cannot end when the body holds the macro. Use a loop.",
        "macro again($x) { again($x) } begin { $x = 1; again($x); }",
        "begin { $x = 3; unroll (3) { $x--; } }";
    MacroArguments:
        "A parameter `$x` takes a variable, `@m` takes a map, and a bare name takes any expression.",
        "macro add($x) { $x + 1 } begin { print(add(1)); }",
        "macro add(x) { x + 1 } begin { print(add(1)); }";
    NotAssignable:
        "Only variables, maps and elements of maps can change. What lies in the memory of the traced system cannot.",
        "begin { pid = 1; }",
        "begin { $pid = 1; }";
    TypeMismatch:
        "The value has another type than its place. Variables keep the type of their first value.",
        "begin { $x = 1; $x = \"text\"; }",
        "begin { $x = 1; $y = \"text\"; }";
    BadOperand:
        "The operator works on other types: arithmetic on integers, `*` on pointers, `!` on what is true or false.",
        "begin { print(\"a\" * 2); }",
        "begin { print(2 * 2); }";
    BadCast:
        "Integers, pointers, enums and arrays of the same size can be cast into each other; other types cannot.",
        "begin { print((int32)\"text\"); }",
        "begin { print((int32)5); }";
    LiteralOutOfRange:
        "The literal needs more bits than the declared type has.",
        "begin { let $x: uint8 = 256; }",
        "begin { let $x: uint16 = 256; }";
    ConstantOverflow:
        "The result of a computation with constants does not fit 64 bits. It is computed while compiling, where \
         nothing can wrap around unseen.",
        "begin { print(18446744073709551615 + 1); }",
        "begin { print(18446744073709551615); }";
    NotConstant:
        "This place shapes the tool: a format string, the bounds of a histogram, a number of rounds. Its value must be \
         known while compiling.",
        "begin { $n = 10; @ = lhist(5, 0, $n, 1); }",
        "begin { @ = lhist(5, 0, 10, 1); }";
    BadIndex:
        "The index lies beyond the last element, or the value has no elements.",
        "begin { $t = (1, 2); print($t.2); }",
        "begin { $t = (1, 2); print($t.1); }";
    NoValue:
        "The function only does something; it gives nothing to store or print.",
        "begin { $x = printf(\"a\"); }",
        "begin { printf(\"a\"); }";
    IncompleteType:
        "The layout of the type is needed here, and nothing describes it. Define the struct in the script, or compile \
         for a target that has type information.",
        "struct outer { struct inner *next; }; begin { $o = (struct outer *)0; print($o.next.value); }",
        "struct inner { int value; }; struct outer { struct inner *next; }; \
         begin { $o = (struct outer *)0; print($o.next.value); }";
    TooLarge:
        "The kernel limits the stack of a BPF program to 512 bytes and the sizes of keys and values. Shorter strings \
         (`str(x, 64)`, `max_strlen`) help most.",
        "", "";
    MapKeyMismatch:
        "All uses of a map have keys of one type. Several values in brackets are a tuple.",
        "begin { @m[1] = 1; @m[\"a\"] = 2; }",
        "begin { @m[1] = 1; @n[\"a\"] = 2; }";
    MapValueMismatch:
        "A map holds values of one type, and an aggregating map is filled by its own function alone.",
        "begin { @m = 1; @m = count(); }",
        "begin { @m = 1; @n = count(); }";
    BadMapDeclaration:
        "A declaration names a kind of map and its number of entries, from 1.",
        "let @m = hash(0); begin { @m[1] = 1; }",
        "let @m = hash(100); begin { @m[1] = 1; }";
    AggregationMisused:
        "`count()`, `hist()` and their kind have no value of their own; they say how a map is filled.",
        "begin { $x = count(); }",
        "begin { @x = count(); }";
    WrongArgumentCount:
        "`btaot help FUNCTION` shows the parameters.",
        "begin { clear(); }",
        "begin { @m[1] = 1; clear(@m); }";
    BadArgument:
        "The argument is not what the function works on. `btaot help FUNCTION` says what each parameter takes.",
        "begin { clear(1); }",
        "begin { @m[1] = 1; clear(@m); }";
    BadFormat:
        "Each `%` of a format takes one argument of a fitting type: `%d` integers, `%s` text and what prints as text, \
         `%r` bytes. Write `%%` for a percent sign.",
        "begin { printf(\"%d %d\\n\", 1); }",
        "begin { printf(\"%d %d\\n\", 1, 2); }";
    NotInThisProbe:
        "Some names have a meaning in certain probes only: `retval` where a function returns, `args` where there are \
         arguments.",
        "begin { print(retval); }",
        "kretprobe:vfs_read { print(retval); }";
    UnsafeFunction:
        "Functions that change the traced system, or run commands, are accepted with `--unsafe` only.",
        "begin { system(\"date\"); }",
        "begin { time(\"%H:%M\\n\"); }";
    LoopMisused:
        "`break` and `continue` act on the loop around them.",
        "begin { break; }",
        "begin { for ($i : 0..3) { break; } }";
    BadUnroll:
        "The body is copied that many times, so the number is a constant, and not a large one.",
        "begin { unroll (1000) { print(1); } }",
        "begin { unroll (10) { print(1); } }";
    BadReturn:
        "A probe returns nothing, or an integer that means nothing; a function returns a value of its declared type.",
        "begin { return \"done\"; }",
        "begin { return; }";
    UserFailure:
        "The script called `fail()`, or a `static_assert()` of it does not hold.",
        "begin { static_assert(sizeof(int32) == 8, \"size of int32\"); }",
        "begin { static_assert(sizeof(int32) == 4, \"size of int32\"); }";
    UnknownConfigKey:
        "`btaot help` lists the settings.",
        "config = { max_strln = 64 } begin { exit(); }",
        "config = { max_strlen = 64 } begin { exit(); }";
    BadConfigValue:
        "Each setting takes a number, `true` or `false`, text, or a word of a list. `btaot help KEY` says which.",
        "config = { stack_mode = fancy } begin { exit(); }",
        "config = { stack_mode = perf } begin { exit(); }";
    BadImport:
        "An import names a file `*.bt`, `*.h` or `*.bpf.c`, or a folder of them, relative to the script. Folders that \
         everyone may write to are refused.",
        "import \"no_such_file.bt\"; begin { exit(); }",
        "begin { exit(); }";
    UnstableFeature:
        "The feature may change or go away. A setting says whether scripts may use it.",
        "config = { unstable_tseries = error } interval:s:1 { @ = tseries(1, 1s, 10); }",
        "config = { unstable_tseries = enable } interval:s:1 { @ = tseries(1, 1s, 10); }";
    MissingTypeInformation:
        "The kernel was built without BTF, or a program without debug information, and the script needs a type of it. \
         Define the struct in the script.",
        "", "";
    ConflictingTypes:
        "Two modules, or a header and the kernel, describe a type of this name differently. Name the module, or use \
         one of the definitions.",
        "", "";
    DependsOnTarget:
        "Keys and events have a layout that is fixed in the tool. A type whose size differs between hosts cannot be \
         part of one; store the fields that matter.",
        "", "";
    NotSupportedYet:
        "The script is correct, but this release cannot compile this part of it.",
        "", "";
    SignMismatch:
        "A signed and an unsigned value are compared or computed with each other; a negative value would be taken for a \
         large one. A cast says what is meant.",
        "begin { $a = (int64)-1; if ($a < nsecs) { print(1); } }",
        "begin { $a = (int64)-1; if ($a < (int64)nsecs) { print(1); } }";
    DiscardedValue:
        "The statement computes a value that nothing uses. Write `_ = …` if that is meant.",
        "begin { pid; }",
        "begin { _ = pid; }";
    Unreachable:
        "Nothing behind a `return`, `break` or `continue` in the same block can run.",
        "begin { return; print(1); }",
        "begin { print(1); return; }";
    Deprecated:
        "The form works as before, and has a newer spelling that the message names.",
        "", "";
    UselessCast:
        "The value already has this type.",
        "begin { $x = (uint64)nsecs; print($x); }",
        "begin { $x = nsecs; print($x); }";
    ComparesPointers:
        "Pointers to different types are compared. A cast says that this is meant.",
        "", "";
    AddressSpace:
        "An address of user memory is used as one of the kernel, or the other way round. `uptr()` and `kptr()` say \
         which memory is meant.",
        "", "";
    Clamped:
        "A number is larger than its limit, and the limit is used.",
        "", "";
    AbsentHere:
        "The function, trace point or file is not on the compiling machine. The tool looks for it where it runs, so \
         compiling goes on. `btaot check` takes it for an error unless `--lenient` is given.",
        "uprobe:/no/such/program:main { @ = count(); }",
        "";
    UnstableUsed:
        "The feature may change or go away. A setting of its name silences this.",
        "interval:s:1 { @ = tseries(1, 1s, 10); }",
        "config = { unstable_tseries = enable } interval:s:1 { @ = tseries(1, 1s, 10); }";
    PrintInLoop:
        "Maps are printed after the event has been processed, with the values of that moment, and not with those \
         of the round of the loop.",
        "begin { for ($i : 0..3) { @x = $i; print(@x); } }",
        "begin { for ($i : 0..3) { print($i); } }";
    CFixedLayout:
        "The type comes from a header and the kernel's type information does not have it, so its layout is that of \
         the compiling machine.",
        "", "";
    UnusedDeclaration:
        "The map or variable is declared and never used.",
        "let @m = hash(10); begin { exit(); }",
        "let @m = hash(10); begin { @m[1] = 1; exit(); }";
    NeverWritten:
        "Nothing stores in the map, so all that can be read from it is zero, or nothing.",
        "begin { print(@count + 1); }",
        "begin { @count = 1; print(@count + 1); }";
    ImportSkipped:
        "An imported folder holds a file that everyone may write to, so anyone could change what the tool does. It is \
         left out: take the permission away, or import the files that you want by name.",
        "", "";
}

#[cfg(test)]
mod tests {
    use super::Code;
    use crate::parse;
    use crate::source::{FileId, Source};

    /// Codes of the parser: their examples must give them.
    fn is_syntactic(code: Code) -> bool {
        let numbers = [1..150, 151..154, 201..206];
        let number: u32 = code.number()[1..].parse().expect("digits");
        code.number().starts_with('E') && numbers.iter().any(|range| range.contains(&number))
    }

    #[test]
    fn examples_show_their_code() {
        let mut problems = Vec::new();
        for code in Code::ALL {
            let explanation = code.explain();
            let check = |text: &'static str| parse(&Source::new(FileId(0), "example", text));
            assert!(explanation.text.ends_with('.'), "{code}");
            if !explanation.right.is_empty()
                && let Err(found) = check(explanation.right)
            {
                problems.push(format!("{code}: the remedy gives {}: {}", found[0].code, found[0].message));
            }
            if explanation.wrong.is_empty() {
                continue;
            }
            match check(explanation.wrong) {
                Ok(_) if is_syntactic(*code) => problems.push(format!("{code}: the example parses")),
                Err(found) if found[0].code != *code => {
                    problems.push(format!("{code}: the example gives {}", found[0].code));
                }
                _ => {}
            }
        }
        assert_eq!(problems, [] as [String; 0]);
    }
}
