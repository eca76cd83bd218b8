import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

/** `ask-by-udp.ts ADDRESS PORT`: whether somebody answers. Exit code 0: yes. */

const [, , address = '', port = ''] = process.argv
const patienceMs = 700

const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
// What may not leave is an error to whoever sends it.
socket.on('error', () => process.exit(1))
socket.on('message', () => process.exit(0))
socket.send('anybody?', Number(port), address)
setTimeout(() => process.exit(1), patienceMs)
