import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Bench, Scenario } from './bench.ts'
import { backendHost, type Candidate } from './candidates/candidate.ts'
import { haproxy, haproxyLarge } from './candidates/haproxy.ts'
import { nginx } from './candidates/nginx.ts'
import { httpProxy, httpProxy3, proxyChain } from './candidates/npm-peer.ts'
import {
  createRingfence,
  libraryLane,
  libraryLaneName,
  type RingfenceCandidate,
} from './candidates/ringfence.ts'
import { tinyproxy } from './candidates/tinyproxy.ts'
import { makeCertificate } from './certificate.ts'
import { Children } from './children.ts'
import { pinSelf, readCores } from './cores.ts'
import { squid } from './candidates/squid.ts'
import { type BenchOptions, parseOptions, usage, UsageError } from './options.ts'
import { judge, type ScenarioResult, writeResults } from './results.ts'
import { atRest } from './scenarios/at-rest.ts'
import { constantRate } from './scenarios/constant-rate.ts'
import { idleTunnels } from './scenarios/idle-tunnels.ts'
import { manySwaps, policySwap } from './scenarios/policy-swap.ts'
import { workers } from './scenarios/workers.ts'
import { forward, reverse, reverseTls } from './scenarios/requests.ts'
import { connect, download, upload } from './scenarios/tunnels.ts'
import { formatTable } from './table.ts'

/**
 * `npm run bench`: Ringfence beside its peers.
 *
 *   load (its core) ──▶ one proxy after the other (another core) ──▶ back end (the load's core)
 */

const peers: readonly Candidate[] = [
  nginx,
  haproxy,
  haproxyLarge,
  squid,
  tinyproxy,
  httpProxy,
  httpProxy3,
  proxyChain,
]
const scenarios: readonly Scenario[] = [
  reverse,
  reverseTls,
  forward,
  connect,
  download,
  upload,
  idleTunnels,
  constantRate,
  policySwap,
  manySwaps,
  workers,
  atRest,
]
const root = path.resolve(import.meta.dirname, '../..')
const interruptedExit = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** Resolves with the exit code: 0 if everything that was asked for was measured, whatever the figures are. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, {
    scenarios: scenarios.map(({ name }) => name),
    peers: [...peers.map(({ name }) => name), libraryLaneName],
  })
  if (options === undefined) {
    print(usage.trimEnd())
    return 0
  }
  const cores = readCores({ mayShare: options.smoke })
  const subject = createRingfence(options.source)
  const { candidates, versions } = await findCandidates(options, subject)
  if (!options.source) build()
  const folder = mkdtempSync(path.join(tmpdir(), 'ringfence-bench-'))
  // Some proxies give up their rights at the start and still have files to open.
  chmodSync(folder, 0o755)
  pinSelf(cores)
  const children = new Children()
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  for (const [signal, code] of Object.entries(interruptedExit)) {
    process.once(signal, () => process.exit(code))
  }
  try {
    const certificate = makeCertificate(folder, backendHost)
    const progress = (line: string): void => void process.stderr.write(`  ${line}\n`)
    const bench = { options, cores, folder, children, certificate, candidates, subject, progress }
    const order = scenarios.map(({ name }) => name)
    const keep = (measured: ScenarioResult): void => {
      if (options.out === undefined) return
      writeResults(path.resolve(options.out), { bench, versions, measured, order })
    }
    const failed = await runScenarios(bench, keep)
    return failed === 0 ? 0 : 1
  } finally {
    await children.close()
  }
}

/**
 * One after the other; what goes wrong in one is told, and costs only that one. Resolves with how many came to nothing.
 *
 * @param keep takes each result as soon as it is there: a run may be ended before its end.
 */
async function runScenarios(
  bench: Bench,
  keep: (measured: ScenarioResult) => void,
): Promise<number> {
  const { only, smoke, seconds, rounds } = bench.options
  let failed = 0
  for (const scenario of scenarios) {
    const isAsked = only?.includes(scenario.name) ?? (smoke || scenario.isSlow !== true)
    if (!isAsked) continue
    print(`\n${scenario.name}: ${scenario.title}`)
    try {
      const figures = await scenario.run(bench)
      const empty = figures.find(({ cost }) => !Number.isFinite(cost))
      if (empty !== undefined) throw new Error(`there is no figure of ${empty.candidate}`)
      const { name, title } = scenario
      const measuredAt = new Date().toISOString()
      if (figures.length > 0) {
        keep(judge({ name, title, measuredAt, seconds, rounds }, figures))
        for (const line of formatTable(figures, { judge: !smoke })) print(line)
      }
    } catch (error) {
      failed++
      print(`failed: ${error instanceof Error ? error.message : String(error)}`)
    }
    await bench.children.stopAll()
  }
  return failed
}

/** Those that are asked for and installed; says which are not, and how to get them. */
async function findCandidates(
  options: BenchOptions,
  subject: RingfenceCandidate,
): Promise<{
  readonly candidates: readonly Candidate[]
  readonly versions: ReadonlyMap<string, string>
}> {
  const candidates: Candidate[] = []
  const versions = new Map<string, string>()
  for (const candidate of [...peers, libraryLane(subject), subject]) {
    if (options.peers?.includes(candidate.name) === false && candidate !== subject) continue
    const version = await candidate.version()
    if (version === undefined) print(`${candidate.name} is missing: ${candidate.install}`)
    else {
      candidates.push(candidate)
      versions.set(candidate.name, version)
      print(`${candidate.name} ${version}`)
    }
  }
  return { candidates, versions }
}

function build(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`bench: ${message}${isUsage ? '; --help shows the usage' : ''}\n`)
  process.exitCode = isUsage ? 2 : 1
}
