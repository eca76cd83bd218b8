import { createWriteStream } from 'node:fs'

/** What the peers from npm get beside the library: a check of the source, and a log that is written every 100 ms. */

const flushMs = 100
const file = createWriteStream('access.log')
let waiting = ''

/** Adds a line in the manner of other proxies' logs. */
export function logRequest(source: string, request: string): void {
  waiting += `${source} - - [${new Date().toISOString()}] "${request}"\n`
}

setInterval(() => {
  if (waiting !== '') file.write(waiting)
  waiting = ''
}, flushMs)

/** Whether the source is one that the rule names. */
export function isAllowedSource(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\./.test(address)
}
