#!/bin/bash
# Prepares an ordinary user of this host for rootless podman; run as root, with the user's name.
# Every step can be run again.
set -euo pipefail
user=$1

# The account may be gone (a host made anew) while its home, which is on a volume, is still there.
id "$user" &>/dev/null || useradd --home-dir "/home/$user" --shell /bin/bash "$user"
install -d -o "$user" -g "$user" -m 0700 "/home/$user"
# useradd has given the user its range of ids; without one there is no rootless container.
grep -q "^$user:" /etc/subuid

# The network of a rootless container needs the tunnel device, which a container's boot gives to root.
printf 'z /dev/net/tun 0666 - - -\n' > /etc/tmpfiles.d/podman-tun.conf
systemd-tmpfiles --create /etc/tmpfiles.d/podman-tun.conf

# The user's service manager runs, and its containers with it, whether or not the user is logged in.
loginctl enable-linger "$user"
