#!/bin/sh
# certbot's deploy hook: puts a new certificate where nginx reads it. `watch.sh` then reloads nginx, or the hook goes on to do so.
#
#     certbot ... --deploy-hook nginx/install-certificate.sh
#
# INSTALL_IN changes the folder; RENEWED_LINEAGE is certbot's own variable. The key comes first, and each file appears whole.
set -eu
folder=${INSTALL_IN:-/var/lib/certificates}
umask 077
cp -L "$RENEWED_LINEAGE/privkey.pem" "$folder/key.pem.new"
cp -L "$RENEWED_LINEAGE/fullchain.pem" "$folder/certificate.pem.new"
chmod 644 "$folder/certificate.pem.new"
mv "$folder/key.pem.new" "$folder/key.pem"
mv "$folder/certificate.pem.new" "$folder/certificate.pem"
