import {
  createConstantParts,
  resourceIdOf,
  serviceOf,
  subjectOf,
  topOfNothing,
} from './constant-parts.ts'
import { decisionDescriptions, endDescriptions } from './describe.ts'
import { formatTime } from './format-time.ts'
import { flat, keep, type KeptTexts } from './kept-texts.ts'
import { escapeText, jsonText, jsonTexts } from './json-text.ts'
import type { AccessRecord, RecordDestination, RecordEnd, RecordSource } from './record.ts'

/**
 * A record → one line of NSP's resource log (NSP docs, diagnostic logs), plus the properties that only Ringfence has.
 * Concatenated from parts that are escaped once: half the cost of `JSON.stringify`. Keys come in a fixed order.
 */

export interface RecordOrigin {
  /** This instance's name. */
  readonly instance: string
  /** A UUID for each start. */
  readonly boot: string
}

/** What could not be accepted, for a while. */
export interface RecordsLost {
  readonly count: number
  /** Milliseconds since the epoch. */
  readonly firstTime: number
  readonly lastTime: number
}

export interface RecordFormat {
  /** A line with its line feed; `sequence` from 1. */
  record(record: AccessRecord, sequence: number): string
  /** What precedes the number in the line, for who does not know it yet. */
  head(record: AccessRecord): string
  /** What follows the number. */
  tail(record: AccessRecord): string
  recordsLost(lost: RecordsLost, sequence: number): string
}

/** Names of removed headers, GUIDs of a caller: a list in a record is no longer than this. */
const maxListItems = 16

export function createRecordFormat({ instance, boot }: RecordOrigin): RecordFormat {
  const origin = `,"instance":${jsonText(instance)},"boot":${jsonText(boot)},"sequence":`
  const constant = createConstantParts(origin)
  const format: RecordFormat = {
    record: (record, sequence) => format.head(record) + sequence + format.tail(record),
    head(record) {
      const { decision, end, source, destination } = record
      const parts = constant.of(decision)
      let line = openingOf(record.time, end === undefined) + subjectOf(parts, record.operationName)
      line += escapeText(record.correlationId) + serviceOf(parts, record.serviceFqdn)
      if (source !== undefined) line += formatSource(source)
      if (destination !== undefined) line += formatDestination(destination)
      return line + parts.after
    },
    tail({ decision, end, removedHeaders, detail }) {
      let line = ''
      if (removedHeaders.length > 0) {
        line += `,"removedHeaders":${jsonTexts(removedHeaders, maxListItems)}`
      }
      if (detail !== undefined) line += `,"detail":${jsonText(detail)}`
      return end === undefined
        ? line + endingOf(decisionDescriptions[decision.reason])
        : line + formatEnd(end) + endingOf(endDescriptions[end.closeReason])
    },
    recordsLost({ count, firstTime, lastTime }, sequence) {
      return (
        `{"time":"${formatTime(firstTime)}","timeGeneratedEndTime":"${formatTime(lastTime)}","count":0` +
        `,${topOfNothing},"operationName":"records-lost","category":null` +
        `,"correlationId":null,"properties":{"recordsLost":${count}${origin}${sequence}}` +
        `,"resultDescription":"Decisions of this time could not be written"}\n`
      )
    },
  }
  return format
}

const endings = new Map<string, string>()

/** One for each description, of which there is a closed set. */
function endingOf(description: string): string {
  let text = endings.get(description)
  if (text === undefined) {
    text = flat(`},"resultDescription":"${description}"}\n`)
    endings.set(description, text)
  }
  return text
}

/** Records come many to a millisecond: the last opening is kept. Which one is kept changes no result. */
let keptTime = Number.NaN
let keptCounts = false
let keptOpening = ''

/** Up to `count`. An end line counts nothing: the decision did, and sums must stay right. */
function openingOf(time: number, counts: boolean): string {
  if (time !== keptTime || counts !== keptCounts) {
    const text = formatTime(time)
    keptOpening = `{"time":"${text}","timeGeneratedEndTime":"${text}","count":${counts ? 1 : 0},`
    keptTime = time
    keptCounts = counts
  }
  return keptOpening
}

const perimetersOfCallers: KeptTexts = new Map()
const subscriptionsOfCallers: KeptTexts = new Map()

function formatSource(source: RecordSource): string {
  const { resourceId, ipAddress, port, perimeterGuids, subscriptions } = source
  let text = '"source":{'
  if (resourceId !== undefined) text += resourceIdOf(resourceId)
  if (ipAddress !== undefined) text += `"ipAddress":"${escapeText(ipAddress)}",`
  if (port !== undefined) text += `"port":"${port}",`
  if (perimeterGuids.length > 0) {
    text += listOf('perimeterGuids', perimeterGuids, perimetersOfCallers)
  }
  if (subscriptions.length > 0) {
    text += listOf('subscriptions', subscriptions, subscriptionsOfCallers)
  }
  return text + protocolOf(source.protocol)
}

/** Most callers are of one perimeter and one subscription. */
function listOf(name: string, items: readonly string[], kept: KeptTexts): string {
  const [first] = items
  if (items.length === 1 && first !== undefined) {
    const text = kept.get(first)
    if (text !== undefined) return text
    return keep(kept, first, `"${name}":[${jsonText(first)}],`)
  }
  return `"${name}":${jsonTexts(items, maxListItems)},`
}

const protocols: KeptTexts = new Map()

function protocolOf(protocol: string): string {
  return protocols.get(protocol) ?? keep(protocols, protocol, `"protocol":${jsonText(protocol)}},`)
}

function formatDestination(destination: RecordDestination): string {
  const { resourceId, fullyQualifiedDomainName, ipAddress, port, upstreamProxy } = destination
  let text = '"destination":{'
  if (resourceId !== undefined) text += resourceIdOf(resourceId)
  if (fullyQualifiedDomainName !== undefined) {
    text += `"fullyQualifiedDomainName":"${escapeText(fullyQualifiedDomainName)}",`
  }
  if (ipAddress !== undefined) text += `"ipAddress":"${escapeText(ipAddress)}",`
  if (port !== undefined) text += `"port":"${port}",`
  if (upstreamProxy !== undefined) text += `"upstreamProxy":"${escapeText(upstreamProxy)}",`
  return text + protocolOf(destination.protocol)
}

function formatEnd({ bytesIn, bytesOut, durationMs, closeReason }: RecordEnd): string {
  return `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"durationMs":${Math.round(durationMs)},"closeReason":"${closeReason}"`
}
