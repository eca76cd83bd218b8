import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { backendHost, type Candidate, originHost, type Place } from './candidate.ts'
import { firstLine } from './first-line.ts'

/** squid without its cache; the log is buffered, as ours is. */
export const squid: Candidate = {
  name: 'squid',
  install: 'apt-get install -y squid',
  purposes: new Set(['reverse', 'forward'] as const),
  destination: originHost,
  version: () => firstLine(['squid', '-v'], /Version (\S+)/),
  start(place) {
    const { folder, core, port, children } = place
    const file = path.join(folder, 'squid.conf')
    const hosts = path.join(folder, 'hosts')
    writeFileSync(hosts, `127.0.0.1 ${originHost}\n`)
    const rules = place.purpose === 'reverse' ? reverse(place) : forward(place)
    writeFileSync(file, `${common(folder, hosts)}\n${rules}\nhttp_access deny all\n`)
    // It gives up root before it opens its log.
    chmodSync(folder, 0o777)
    const args = ['-N', '-f', file]
    return children.startService({ name: 'squid', core, folder, port, program: 'squid', args })
  },
}

function common(folder: string, hosts: string): string {
  return `cache deny all
cache_mem 0 MB
pid_filename none
hosts_file ${hosts}
access_log stdio:${folder}/access.log squid
cache_log ${folder}/cache.log
buffered_logs on
cache_store_log none
coredump_dir ${folder}
max_filedescriptors 19000
client_persistent_connections on
server_persistent_connections on
shutdown_lifetime 0 seconds
pinger_enable off
acl office src 127.0.0.0/8`
}

function reverse({ port, target }: Place): string {
  return `http_port 127.0.0.1:${port} accel defaultsite=${backendHost} vhost
cache_peer 127.0.0.1 parent ${target} 0 no-query originserver name=orders
acl name dstdomain ${backendHost}
http_access allow office name
cache_peer_access orders allow name
cache_peer_access orders deny all
never_direct allow all`
}

function forward({ port, target }: Place): string {
  return `http_port 127.0.0.1:${port}
acl name dstdomain ${originHost}
acl there port ${target}
http_access allow office name there`
}
