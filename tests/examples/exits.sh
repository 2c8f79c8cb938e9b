trace --failed -c '/bin/sh -c "exit 3"' || true
expect '^[0-9]+ +sh +[0-9]+ ms  exit code 3$'
trace -c '/bin/sh -c "kill -9 $$"' || true
expect '^[0-9]+ +sh +[0-9]+ ms  killed: Killed$'
trace --failed -c /bin/true
refuse ' true '
