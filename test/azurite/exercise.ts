import { createHash, randomBytes } from 'node:crypto'
import {
  BlobServiceClient,
  RestError,
  StorageRetryPolicyType,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'

/**
 * What an application does with its storage account, by the unmodified client. Prints a line for each check; started by
 * `run.ts` with the environment that an application would have.
 *
 *   node exercise.ts use|denied|blocked URL
 */

const account = 'devstoreaccount1'
/** Azurite's published development key: no secret. */
const key =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

const blobBytes = 64 * 1024 * 1024
const blockBytes = 8 * 1024 * 1024

function report(good: boolean, sentence: string): void {
  process.stdout.write(`${good ? 'ok' : 'not ok'} - ${sentence}\n`)
}

function connect(url: string): BlobServiceClient {
  return new BlobServiceClient(url, new StorageSharedKeyCredential(account, key), {
    retryOptions: { retryPolicyType: StorageRetryPolicyType.FIXED, maxTries: 1 },
  })
}

async function use(url: string): Promise<void> {
  const container = connect(url).getContainerClient(`box-${randomBytes(4).toString('hex')}`)
  await container.create()
  report(true, 'creates a container')

  const content = randomBytes(blobBytes)
  const blob = container.getBlockBlobClient('large.bin')
  await blob.uploadData(content, {
    blockSize: blockBytes,
    concurrency: 4,
    maxSingleShotSize: blockBytes,
  })
  const { contentLength } = await blob.getProperties()
  report(contentLength === blobBytes, 'uploads 64 MiB in parallel blocks')

  const names: string[] = []
  for await (const item of container.listBlobsFlat()) names.push(item.name)
  report(names.join() === 'large.bin', 'lists it')

  const start = 20 * 1024 * 1024 + 7
  const length = 3 * 1024 * 1024 + 11
  const range = await blob.downloadToBuffer(start, length)
  report(range.equals(content.subarray(start, start + length)), 'downloads a range of it')

  const whole = await blob.downloadToBuffer()
  report(digest(whole) === digest(content), 'downloads all of it')

  await blob.delete()
  report(!(await blob.exists()), 'deletes it, and asks in vain for it')

  await container.delete()
  report(true, 'deletes the container')
}

/** Inbound: the perimeter answers instead of the storage account. */
async function denied(url: string): Promise<void> {
  const error = await failureOf(connect(url).getContainerClient('box').getProperties())
  report(error instanceof RestError, 'is denied')
  if (!(error instanceof RestError)) return
  report(error.statusCode === 403, `sees status 403 (${error.statusCode})`)
  report(
    error.code === 'NetworkSecurityPerimeterDenied',
    `sees the code NetworkSecurityPerimeterDenied (${error.code})`,
  )
  const requestId = error.response?.headers.get('x-ms-request-id')
  process.stdout.write(`request-id ${requestId}\n`)
  report(requestId !== undefined && requestId !== '', 'sees a request id')

  const listing = await failureOf(connect(url).listContainers().next())
  report(
    listing instanceof RestError && listing.message.includes('perimeter'),
    'reads in the message that the perimeter did it',
  )
}

/** Outbound: the proxy refuses the tunnel. */
async function blocked(url: string): Promise<void> {
  const error = await failureOf(connect(url).getContainerClient('box').getProperties())
  report(error instanceof Error, `fails at once: ${error instanceof Error ? error.message : ''}`)
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error
  }
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

const exercises = { use, denied, blocked }
const [name, url = ''] = process.argv.slice(2)
if (name !== 'use' && name !== 'denied' && name !== 'blocked') {
  throw new Error('usage: exercise.ts use|denied|blocked URL')
}
await exercises[name](url)
