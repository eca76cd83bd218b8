import { parentPort, workerData } from 'node:worker_threads'
import { beginArena } from '../policy/arena.ts'
import { prepareInForce } from './prepare-in-force.ts'
import type { ThreadTask } from './prepare-off-thread.ts'

/** The thread of `prepareOffThread`: one load, one message, and it ends. */

// What it is started with is written down there, and nobody else starts it.
const { request, filling } = workerData as ThreadTask
const arena = beginArena(filling.buffer, filling.epoch)
const prepared = await prepareInForce(request, { arena, mostBytes: Infinity })
if (prepared.kind === 'prepared') arena.finish()
parentPort?.postMessage(prepared)
