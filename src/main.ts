#!/usr/bin/env -S node --max-semi-space-size=4
/**
 * Where the process begins. This file imports nothing of ours before the version is checked, and nothing by name from
 * Node: on an old Node it must still get far enough to say so.
 */
import module from 'node:module'
import process from 'node:process'

const requiredMajor = 24
const usageExitCode = 2

const major = Number(process.versions.node.split('.')[0])
if (major < requiredMajor) {
  process.stderr.write(
    `ringfence needs Node.js ${requiredMajor} or newer, this is ${process.versions.node}\n`,
  )
  process.exitCode = usageExitCode
} else {
  module.enableCompileCache()
  // http-proxy reads it and would take a path through `fetch` that drops what we decided about headers.
  delete process.env['FORCE_FETCH_PATH']
  const { runCommandLine } = await import('./cli/program.ts')
  process.exitCode = await runCommandLine(process.argv.slice(2))
}
