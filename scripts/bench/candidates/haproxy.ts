import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { KiB } from '../../../src/units.ts'
import { backendHost, type Candidate, type Place, type Purpose } from './candidate.ts'
import { firstLine } from './first-line.ts'

/** haproxy with one thread; its log goes to a file by way of standard output. */
export const haproxy = createHaproxy('haproxy', {
  purposes: ['reverse', 'reverse-tls', 'tcp'],
  tuning: '',
})

/** With buffers of the size that bulk transfers like best. */
export const haproxyLarge = createHaproxy('haproxy-256k', {
  purposes: ['tcp'],
  tuning: `tune.bufsize ${256 * KiB}`,
})

function createHaproxy(
  name: string,
  { purposes, tuning }: { readonly purposes: readonly Purpose[]; readonly tuning: string },
): Candidate {
  return {
    name,
    install: 'apt-get install -y haproxy',
    purposes: new Set(purposes),
    destination: '',
    version: () => firstLine(['haproxy', '-v'], /version (\S+)/),
    async start(place) {
      const { folder, core, port, children } = place
      const file = path.join(folder, 'haproxy.cfg')
      const proxy = place.purpose === 'tcp' ? tcp(place) : reverse(place)
      writeFileSync(file, `${globalSection(place, tuning)}\n${proxy}\n`)
      const args = ['-db', '-q', '-f', file]
      return children.startService({ name, core, folder, port, program: 'haproxy', args })
    },
  }
}

function globalSection({ core }: Place, tuning: string): string {
  return `global
  maxconn 9000
  nbthread ${[core].flat().length}
  log stdout format raw local0 info
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ${tuning}
defaults
  log global
  timeout connect 5s
  timeout client 300s
  timeout server 300s`
}

function reverse({ purpose, port, target, certificate }: Place): string {
  const tls = purpose === 'reverse-tls' ? ` ssl crt ${certificate.bundleFile}` : ''
  return `frontend public
  mode http
  option httplog
  option forwardfor
  bind 127.0.0.1:${port}${tls}
  acl office src 127.0.0.0/8
  acl name hdr(host) -i ${backendHost}
  http-request deny deny_status 403 unless office
  use_backend orders if name
backend orders
  mode http
  http-reuse always
  server orders 127.0.0.1:${target}`
}

function tcp({ port, target }: Place): string {
  return `frontend public
  mode tcp
  option tcplog
  bind 127.0.0.1:${port}
  acl office src 127.0.0.0/8
  tcp-request connection reject unless office
  default_backend origin
backend origin
  mode tcp
  server origin 127.0.0.1:${target}`
}
