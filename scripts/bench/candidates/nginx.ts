import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { backendHost, type Candidate, type Place } from './candidate.ts'
import { firstLine } from './first-line.ts'

/** nginx as a reverse proxy: one worker, back-end connections kept, log lines written 64 KiB at a time as ours are. */
export const nginx: Candidate = {
  name: 'nginx',
  install: 'apt-get install -y nginx',
  purposes: new Set(['reverse', 'reverse-tls'] as const),
  destination: '',
  version: () => firstLine(['nginx', '-v'], /nginx\/(\S+)/),
  start(place) {
    return startNginx({ ...place, name: 'nginx', http: reverse(place) })
  },
}

function reverse({ purpose, port, target, certificate }: Place): string {
  const tls = purpose === 'reverse-tls'
  const listen = `listen 127.0.0.1:${port}${tls ? ' ssl' : ''}`
  return `
    access_log access.log combined buffer=64k flush=1s;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate ${certificate.certificateFile};
    ssl_certificate_key ${certificate.keyFile};
    upstream backend {
      server 127.0.0.1:${target};
      keepalive 256;
      keepalive_requests 1000000000;
    }
    server { ${listen} default_server; return 404; }
    server {
      ${listen};
      server_name ${backendHost};
      allow 127.0.0.0/8;
      deny all;
      location / {
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
      }
    }`
}

/** Starts nginx with what belongs between the braces of `http`. The back end is one, too. */
export async function startNginx(
  place: Pick<Place, 'folder' | 'core' | 'port' | 'children'> & {
    readonly name: string
    readonly http: string
  },
): ReturnType<Candidate['start']> {
  const { name, folder, core, port, children, http } = place
  const file = path.join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${kind};`)
    .join(' ')
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
    worker_rlimit_nofile 19000;
    events { worker_connections 9000; }
    http {
      ${temporary}
      keepalive_requests 1000000000;
      ${http}
    }\n`,
  )
  return children.startService({
    name,
    core,
    folder,
    port,
    program: 'nginx',
    args: ['-p', folder, '-c', file],
  })
}
