import { readFileSync } from 'node:fs'

const migrateReqFile = '/proc/sys/net/ipv4/tcp_migrate_req'

/** What an operator could do better on this machine, for `/readyz`. Reveals nothing of the policy. */
export function machineWarnings(workers: number, file: string = migrateReqFile): readonly string[] {
  if (workers === 1 || readSetting(file) !== '0') return []
  return [
    'net.ipv4.tcp_migrate_req is 0: where a worker ends, connections that wait for it are reset instead of going to another',
  ]
}

/** Undefined where there is none. */
function readSetting(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}
