import { upgradeRequest } from '../support/web-socket.ts'

/** The three ways to ask, each with what a let-through looks like. */
export const ways = [
  {
    way: 'absolute-form',
    ask: (port: number, fields: string) =>
      `GET http://api.example:${port}/ HTTP/1.1\r\nHost: api.example:${port}\r\n${fields}\r\n`,
    allowed: 200,
  },
  {
    way: 'CONNECT',
    ask: (port: number, fields: string) =>
      `CONNECT api.example:${port} HTTP/1.1\r\nHost: api.example:${port}\r\n${fields}\r\n`,
    allowed: 200,
  },
  {
    way: 'an upgrade',
    ask: (port: number, fields: string) =>
      upgradeRequest(`api.example:${port}`)
        .replace('GET /', `GET http://api.example:${port}/`)
        .replace(/\r\n\r\n$/, `\r\n${fields}\r\n`),
    allowed: 101,
  },
]
