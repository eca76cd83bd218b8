import { type Bench, newFolder } from '../bench.ts'

/** Runs one of the programs in `load/` on the load's core, with its order, to its end. */
export function runLoad<Result>(
  bench: Bench,
  options: { readonly program: string; readonly order: object; readonly niceness?: number },
): Promise<Result> {
  const { program, order, ...rest } = options
  const file = new URL(`../load/${program}.ts`, import.meta.url).pathname
  return bench.children.run<Result>({
    name: `the load (${program})`,
    core: bench.cores.load,
    folder: newFolder(bench, program),
    program: process.execPath,
    args: [file, JSON.stringify(order)],
    ...rest,
  })
}
