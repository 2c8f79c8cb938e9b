touch victim
trace -c "/bin/rm victim"
expect '^[0-9]+ +rm +victim$'
