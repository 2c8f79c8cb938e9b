use crate::source::Sources;

fn text(program: &str) -> String {
    let mut sources = Sources::new();
    let id = sources.add("stdin", program);
    let script =
        crate::parse(sources.get(id)).unwrap_or_else(|problems| panic!("{program}: {}", problems[0].message));
    super::script(&script, &sources)
}

#[test]
fn precedence_and_associativity() {
    let expected = "\
probe 1:1
  attach begin \"begin\" 1:1
    part \"begin\" 1:1
  body 1:7
    assign = 1:9
      variable $a 1:9
      ternary ?: 1:14
        binary || 1:14
          int 1 1:14
          binary - 1:19
            binary - 1:19
              int 2 1:19
              int 3 1:23
            binary * 1:27
              int 4 1:28
              unary - 1:33
                int 5 1:34
        int 6 1:38
        int 7 1:42
";
    assert_eq!(text("begin { $a = 1 || 2 - 3 - (4) * -5 ? 6 : 7; }"), expected);
}

#[test]
fn casts_products_and_types() {
    let expected = "\
probe 1:1
  attach begin \"begin\" 1:1
    part \"begin\" 1:1
  body 1:7
    call print 1:9
      cast 1:15
        type pointer 1:16
          type struct X 1:16
        name arg0 1:27
      binary * 1:33
        name pid 1:34
        name tid 1:39
      cast 1:44
        type x 1:45
        unary * 1:47
          variable $y 1:48
      sizeof 1:52
        type array 1:59
          type pointer 1:59
            type int32 1:59
          int 4 1:67
      sizeof 1:72
        name pid 1:79
";
    let program = "begin { print((struct X *)arg0, (pid)*tid, (x)*$y, sizeof(int32 *[4]), sizeof(pid)); }";
    assert_eq!(text(program), expected);
}

#[test]
fn values_of_blocks_and_statements() {
    let expected = "\
macro m 1:1
  parameter $a 1:9
  parameter b 1:13
  body 1:16
    value
      if 1:18
        variable $a 1:21
        body 1:24
          value
            name b 1:26
        else
          body 1:35
            value
              int 0 1:37
probe 1:43
  attach interval \"i:s:1\" 1:43
    part \"i\" 1:43
    part \"s\" 1:45
    part \"1\" 1:47
  predicate
    binary / 1:50
      name pid 1:50
      int 2 1:56
  body 1:59
    for $k in range 1:61
      int 0 1:71
      int 5 1:74
      body 1:77
        if 1:79
          variable $k 1:83
          body 1:87
            discard 1:89
              postfix ++ 1:93
                element of @m 1:93
                  variable $k 1:96
                  string \"\\n\" 1:100
";
    let program = "macro m($a, b) { if $a { b } else { 0 } } i:s:1 /pid / 2/ { for ($k : 0..5) { if ($k) { _ = @m[$k, \"\\n\"]++ } } }";
    assert_eq!(text(program), expected);
}
