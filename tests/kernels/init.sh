#!/busybox sh
# The first process of a test machine: runs /cases/*, reports each on the second serial port, powers off.
# The first port is the kernel's; what it says there cannot get between the reports.
/busybox mkdir -p /bin /proc /sys /dev /tmp /run
/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tracefs tracefs /sys/kernel/tracing
for module in /modules/*.ko; do
    insmod "$module"
done
# Open until the end: each closing would shut the port down, and on a busy host with bytes still in it.
exec 3<>/dev/ttyS1
stty raw -echo <&3

# A case is a shell script, which is ended only when it hangs. Its report is one line: name, exit code, both outputs in base64 behind an x.
for script in /cases/*; do
    timeout -s KILL 200 sh "$script" >/tmp/stdout 2>/tmp/stderr </dev/null 3>&-
    code=$?
    echo "${script##*/} $code x$(base64 </tmp/stdout | tr -d '\n') x$(base64 </tmp/stderr | tr -d '\n')" >&3
done
echo end >&3
poweroff -f
