import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { describeFailure, exitCodes } from './exit-code.ts'
import { createOutput, createWrite, OutputLost, type Write } from './output.ts'

/**
 * The command line. Each command's module is loaded when it is asked for, so that `--help` and `check` do not pay for
 * the proxies.
 */

/** What the commands write to; standard output and error unless a test says otherwise. */
export interface Streams {
  readonly out: Write
  readonly err: Write
}

interface ExplainFlags {
  readonly config: string
  readonly resource: string
  readonly source?: string
  readonly subscription?: string
  readonly perimeter?: string
  readonly destination?: string
  readonly json: boolean
}

interface CertificateFlags {
  readonly into: string
  readonly perimeter: string
  readonly member: readonly string[]
  readonly host: readonly string[]
  readonly days: string
}

const defaultConfig = 'ringfence.yaml'

/** Runs one command and resolves with the exit code of the process. Never rejects. */
export async function runCommandLine(args: readonly string[], given?: Streams): Promise<number> {
  if (given !== undefined) return runProgram(args, given)
  const output = createOutput(process.stdout)
  const streams: Streams = { out: output.write, err: createWrite(process.stderr) }
  const exitCode = await runProgram(args, streams)
  const lost = await output.settled()
  if (lost === undefined || lost.isReaderGone) return exitCode
  // A result that is cut short must not look like one to whoever only looks at the exit code.
  streams.err(`ringfence: ${lost.message}\n`)
  return exitCodes.problems
}

async function runProgram(args: readonly string[], streams: Streams): Promise<number> {
  let exitCode: number = exitCodes.good
  const program = createProgram(streams, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.good : exitCodes.usage
    }
    // The command has nobody to go on for. Whether that is a fault is told once everything has been tried.
    if (error instanceof OutputLost) return exitCode
    const failure = describeFailure(error)
    for (const line of failure.lines) streams.err(`ringfence: ${line}\n`)
    if (process.env['RINGFENCE_DEBUG'] === '1' && error instanceof Error) {
      streams.err(`${error.stack ?? ''}\n`)
    }
    return failure.exitCode
  }
}

function createProgram(streams: Streams, end: (exitCode: number) => void): Command {
  const program = withConfig(new Command('ringfence'))
    .description(
      'a self-hosted network security perimeter: one policy for what comes in and goes out',
    )
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    // Whatever stands behind a command is the command's own.
    .enablePositionalOptions()
    .hook('preSubcommand', passConfigOn)
    .exitOverride()
    .configureOutput({
      writeOut: streams.out,
      writeErr: streams.err,
    })
    .showHelpAfterError('(--help shows what is possible)')

  command('run', 'enforce the perimeter: start the listeners and keep the policy up to date')
    .addHelpText('after', example('ringfence run --config /etc/ringfence/ringfence.yaml'))
    .action(async (options: { config: string }) => {
      const { runRun } = await import('./commands/run.ts')
      end(await runRun({ ...options, ...streams }))
    })

  command('check', 'validate settings and perimeters without listening')
    .option('--json', 'print the problems as JSON', false)
    .option('--azure', "also warn where Azure's limits are exceeded", false)
    .addHelpText('after', example('ringfence check --config /etc/ringfence/ringfence.yaml'))
    .action(async (options: { config: string; json: boolean; azure: boolean }) => {
      const { runCheck } = await import('./commands/check.ts')
      end(await runCheck({ ...options, ...streams }))
    })

  command('explain', 'show how a request would be decided, stage by stage')
    .argument('<direction>', '`inbound` or `outbound`')
    .requiredOption('--resource <id>', 'the member: a resource id, or its bare name')
    .option('--source <ip>', "inbound: the caller's address")
    .option('--subscription <guid>', "inbound: the caller's subscription")
    .option('--perimeter <guid>', 'inbound: a perimeter that the caller is a member of')
    .option('--destination <host[:port]>', 'outbound: where to')
    .option('--json', 'print the explanation as JSON', false)
    .addHelpText(
      'after',
      example(
        'ringfence explain inbound --resource orders --source 203.0.113.7',
        'ringfence explain outbound --resource orders --destination api.stripe.com:443',
      ),
    )
    .action(async (direction: string, options: ExplainFlags) => {
      const { runExplain } = await import('./commands/explain.ts')
      end(await runExplain({ ...options, direction, ...streams }))
    })

  command(
    'doctor',
    'try the forbidden on a running instance, and say what is held and what is open',
  )
    .option('--json', 'print the findings as JSON', false)
    .addHelpText('after', example('ringfence doctor --config /etc/ringfence/ringfence.yaml'))
    .action(async (options: { config: string; json: boolean }) => {
      const { runDoctor } = await import('./commands/doctor.ts')
      end(await runDoctor({ ...options, ...streams }))
    })

  command('decide', 'decide requests from standard input, one line of JSON each')
    .addHelpText(
      'after',
      example(
        `echo '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"api.stripe.com","port":443}}' | ringfence decide`,
      ),
    )
    .action(async (options: { config: string }) => {
      const { runDecide } = await import('./commands/decide.ts')
      end(await runDecide({ ...options, ...streams }))
    })

  program
    .command('certificates')
    .description('make certificates to try mutual TLS with: an authority, listeners, members')
    .requiredOption('--perimeter <guid>', "the members' perimeter: its GUID, or its resource id")
    .option('--member <id...>', 'resource ids of members: a certificate for each', [])
    .option('--host <name...>', 'names and addresses of the listeners, besides localhost', [])
    .option('--into <folder>', 'where the files go; nothing is overwritten', 'certificates')
    .option('--days <number>', 'how long they are valid', '30')
    .addHelpText(
      'after',
      example(
        'ringfence certificates --host orders.shop.example --perimeter 7d0c2c1e-5a0f-4e0f-9a43-0d3a5a3f7b11 \\\n' +
          '    --member /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Ringfence.Local/services/orders',
      ),
    )
    .action(async (options: CertificateFlags) => {
      const { runCertificates } = await import('./commands/certificates.ts')
      end(await runCertificates({ ...options, ...streams }))
    })

  program
    .command('hash-secret')
    .description('print the hash of a secret for settings; the secret is read from standard input')
    .addHelpText(
      'after',
      example('openssl rand -base64 24 | tee secret.txt | ringfence hash-secret'),
    )
    .action(async () => {
      const { runHashSecret } = await import('./commands/hash-secret.ts')
      end(await runHashSecret({ input: process.stdin, ...streams }))
    })

  program
    .command('demo')
    .description('watch a perimeter at work: mock services, real requests, a log line for each')
    .option('--keep', 'leave it running and print commands to try', false)
    .addHelpText('after', example('ringfence demo', 'ringfence demo --keep'))
    .action(async (options: { keep: boolean }) => {
      const { runDemo } = await import('../demo/main.ts')
      end(await runDemo(options))
    })

  program
    .command('help')
    .description('show the help of a command')
    .argument('[command]')
    .action((name?: string) => {
      const asked =
        name === undefined ? program : program.commands.find((one) => one.name() === name)
      if (asked === undefined) program.error(`error: unknown command '${name}'`)
      else asked.outputHelp()
    })

  for (const one of [program, ...program.commands]) refuseRepetition(one)
  return program

  function command(name: string, description: string): Command {
    return withConfig(program.command(name).description(description))
  }
}

function withConfig(command: Command): Command {
  return command.option('-c, --config <file>', 'the settings', defaultConfig)
}

/** What is said twice may mean two things: nobody is told about the one and believes that it was about the other. */
function refuseRepetition(command: Command): void {
  for (const option of command.options) {
    if (!option.required || option.variadic) continue
    option.argParser((value: string) => {
      if (command.getOptionValueSource(option.attributeName()) === 'cli') {
        command.error(`error: option '${option.long}' is given twice`)
      }
      return value
    })
  }
}

/** `--config` before the command is the command's: to whoever types, both places are the same. */
function passConfigOn(program: Command, command: Command): void {
  if (program.getOptionValueSource('config') !== 'cli') return
  if (!command.options.some((option) => option.attributeName() === 'config')) {
    program.error(`error: option '--config' does not belong to ${command.name()}`)
  }
  command.setOptionValueWithSource('config', program.getOptionValue('config'), 'cli')
}

function example(...commands: readonly string[]): string {
  const title = commands.length === 1 ? 'Example' : 'Examples'
  return `\n${title}:\n${commands.map((line) => `  ${line}`).join('\n')}`
}

/** Of package.json, two folders up from here in `src/` and in `dist/` alike. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest
      ? manifest.version
      : undefined
  return typeof version === 'string' ? version : 'unknown'
}
