import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { spawn } from 'node:child_process'
import { connect, createServer, Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import t, { type Test } from 'tap'
import { listen } from '../../src/transport/listener.ts'

void t.test('listen on TCP', async (t) => {
  await t.test('gives the port that was free', async (t) => {
    const server = closedAfter(t, newServer())
    const { host, port } = await listen(server, { host: '127.0.0.1', port: 0 })
    t.equal(host, '127.0.0.1')
    t.equal((await connectedTo({ host, port })).remotePort, port)
  })

  await t.test('says what holds the address', async (t) => {
    const { host, port } = await listen(closedAfter(t, newServer()), {
      host: '127.0.0.1',
      port: 0,
    })
    await t.rejects(
      listen(newServer(), { host, port }),
      refusal(`cannot listen on \`127.0.0.1:${port}\`: something else listens there`),
    )
  })

  await t.test('says that the address is not here', async (t) => {
    await t.rejects(
      listen(newServer(), { host: '192.0.2.1', port: 0 }),
      refusal('cannot listen on `192.0.2.1:0`: no interface of this machine has that address'),
    )
  })

  await t.test('an error of the listening socket ends nothing, and is told', async (t) => {
    const server = closedAfter(t, newServer())
    const faults: string[] = []
    await listen(
      server,
      { host: '127.0.0.1', port: 0 },
      { onFault: ({ message }) => faults.push(message) },
    )
    server.emit('error', new Error('accept EMFILE'))
    t.same(faults, ['accept EMFILE'])
    t.equal(server.listening, true)
  })

  await t.test('and is forgotten without somebody to tell', async (t) => {
    const server = closedAfter(t, newServer())
    await listen(server, { host: '127.0.0.1', port: 0 })
    server.emit('error', new Error('accept EMFILE'))
    t.equal(server.listening, true)
  })
})

void t.test('listen on a Unix socket', async (t) => {
  await t.test('for its owner alone, from the first moment to its close', async (t) => {
    const socket = `${temporaryDirectory(t)}/rf.sock`
    const server = newServer()
    const before = process.umask()
    const listening = listen(server, { socket })
    const modes = new Set<number>()
    const look = setInterval(() => existsSync(socket) && modes.add(statSync(socket).mode & 0o777))
    server.prependOnceListener('listening', () => modes.add(statSync(socket).mode & 0o777))
    t.same(await listening, { socket })
    clearInterval(look)
    t.same([...modes], [0o600])
    t.equal(process.umask(), before, 'the mask is as it was')
    const client = await connectedTo({ path: socket })
    client.destroy()
    server.close()
    await once(server, 'close')
    t.equal(existsSync(socket), false)
  })

  await t.test('for a group too, where that is asked for, and for nobody else', async (t) => {
    const socket = `${temporaryDirectory(t)}/rf.sock`
    const server = closedAfter(t, newServer())
    const before = process.umask(0o077)
    t.teardown(() => process.umask(before))
    const address = { socket, mode: 0o660 }
    t.same(await listen(server, address), address)
    t.equal(statSync(socket).mode & 0o777, 0o660, 'whatever the mask of the process')
    t.equal(process.umask(), 0o077, 'the mask is as it was')
    await connectedTo({ path: socket })
  })

  await t.test('in place of one that a dead process left behind', async (t) => {
    const socket = `${temporaryDirectory(t)}/rf.sock`
    await leaveBehind(socket)
    t.equal(existsSync(socket), true)
    await listen(closedAfter(t, newServer()), { socket })
    await connectedTo({ path: socket })
    t.pass('it answers')
  })

  await t.test('but not of one that answers', async (t) => {
    const socket = `${temporaryDirectory(t)}/rf.sock`
    await listen(closedAfter(t, newServer()), { socket })
    await t.rejects(
      listen(newServer(), { socket }),
      refusal(`cannot listen on \`${socket}\`: something else listens there`),
    )
    await connectedTo({ path: socket })
    t.pass('it still answers')
  })

  await t.test('nor of a file, a directory or a link', async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(`${directory}/file`, 'precious')
    mkdirSync(`${directory}/directory`)
    await leaveBehind(`${directory}/left.sock`)
    symlinkSync(`${directory}/left.sock`, `${directory}/link`)
    for (const name of ['file', 'directory', 'link']) {
      const socket = `${directory}/${name}`
      await t.rejects(
        listen(newServer(), { socket }),
        refusal(`cannot listen on \`${socket}\`: a file that is no socket has that name`),
      )
      t.equal(existsSync(socket), true, `${name} is still there`)
    }
  })

  await t.test('says that the path is too long', async (t) => {
    const socket = `/tmp/${'x'.repeat(200)}`
    await t.rejects(
      listen(newServer(), { socket }),
      refusal(/its 205 bytes exceed the 10[37] of a socket path$/),
    )
  })

  await t.test('says that the directory is missing', async (t) => {
    const socket = `${temporaryDirectory(t)}/missing/rf.sock`
    await t.rejects(
      listen(newServer(), { socket }),
      refusal(`cannot listen on \`${socket}\`: the directory does not exist`),
    )
  })
})

void t.test('listen: what else the system says', async (t) => {
  const codes = [
    ['EACCES', 'permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)'],
    ['EAI_AGAIN', 'the name does not resolve'],
    ['EPERM', 'the system says EPERM'],
  ] as const
  for (const [code, words] of codes) {
    await t.test(code, async (t) => {
      const server = new (class extends Server {
        override listen(): this {
          const error = Object.assign(new Error(code), { code, port: 80 })
          process.nextTick(() => this.emit('error', error))
          return this
        }
      })()
      await t.rejects(
        listen(server, { host: '127.0.0.1', port: 80 }),
        refusal(`cannot listen on \`127.0.0.1:80\`: ${words}`),
      )
    })
  }
})

function refusal(message: string | RegExp): { code: string; message: string | RegExp } {
  return { code: 'RF_LISTEN', message }
}

/** Notices when its clients go, so that it can close. */
function newServer(): Server {
  return createServer((socket) => socket.resume().on('error', () => undefined))
}

function closedAfter(t: Test, server: Server): Server {
  t.teardown(() => server.close())
  return server
}

async function connectedTo(to: { host: string; port: number } | { path: string }): Promise<Socket> {
  const socket = connect(to)
  await once(socket, 'connect')
  t.teardown(() => socket.destroy())
  return socket
}

/** Not tap's, whose paths are longer than a socket's may be. */
function temporaryDirectory(t: Test): string {
  const path = mkdtempSync(`${tmpdir()}/rf-`)
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

/** A process binds it and is killed. */
async function leaveBehind(socket: string): Promise<void> {
  const script = `require('node:net').createServer().listen({ path: process.argv[1] }, () => console.log('bound'))`
  const owner = spawn(process.execPath, ['-e', script, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(owner.stdout, 'data')
  owner.kill('SIGKILL')
  await once(owner, 'exit')
}
