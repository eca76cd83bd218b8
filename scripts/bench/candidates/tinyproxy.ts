import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Candidate } from './candidate.ts'
import { firstLine } from './first-line.ts'

/** It resolves by the system alone, so it is asked for the one name that every system knows. */
const destination = 'localhost'

export const tinyproxy: Candidate = {
  name: 'tinyproxy',
  install: 'apt-get install -y tinyproxy',
  purposes: new Set(['forward'] as const),
  destination,
  version: () => firstLine(['tinyproxy', '-v'], /tinyproxy (\S+)/i),
  start({ folder, core, port, target, children }) {
    const file = path.join(folder, 'tinyproxy.conf')
    writeFileSync(path.join(folder, 'filter'), `^${destination}$\n`)
    writeFileSync(
      file,
      `Port ${port}
Listen 127.0.0.1
Timeout 300
MaxClients 9000
LogFile "${folder}/access.log"
LogLevel Connect
Allow 127.0.0.0/8
ConnectPort ${target}
Filter "${folder}/filter"
FilterExtended On
FilterDefaultDeny Yes\n`,
    )
    const args = ['-d', '-c', file]
    const program = 'tinyproxy'
    return children.startService({ name: 'tinyproxy', core, folder, port, program, args })
  },
}
