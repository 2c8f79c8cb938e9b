beside sleep 0.5
expect '^@nanoseconds\[[0-9]+\]: \{ \.count = [0-9]+, \.average = [0-9]+, \.total = [0-9]+ \}$'
