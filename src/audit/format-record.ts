import { decisionParts, resourceParts } from './constant-parts.ts'
import { decisionDescriptions, endDescriptions } from './describe.ts'
import { formatTime } from './format-time.ts'
import { maxIdLength, quote, quoteList } from './quote.ts'
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
  recordsLost(lost: RecordsLost, sequence: number): string
}

/** Names of removed headers, GUIDs of a caller: a list in a record is no longer than this. */
const maxListItems = 16

export function createRecordFormat({ instance, boot }: RecordOrigin): RecordFormat {
  const origin = `,"instance":${quote(instance)},"boot":${quote(boot)},"sequence":`
  return {
    record(record, sequence) {
      const { decision, end } = record
      const resource = resourceParts(decision.resource)
      const { category, before, after } = decisionParts(resource, decision)
      const time = formatTime(record.time)
      // An end line counts nothing: the decision did, and sums must stay right.
      let line = `{"time":"${time}","timeGeneratedEndTime":"${time}","count":${end === undefined ? 1 : 0},${resource.top}`
      line += `,"operationName":${quote(record.operationName)},${category}`
      line += `,"correlationId":${quote(record.correlationId)},"properties":{${resource.service}`
      if (record.serviceFqdn !== undefined) line += `"serviceFqdn":${quote(record.serviceFqdn)},`
      line += before
      if (record.source !== undefined) line += formatSource(record.source)
      if (record.destination !== undefined) line += formatDestination(record.destination)
      line += `${after}${origin}${sequence}`
      if (record.removedHeaders.length > 0) {
        line += `,"removedHeaders":${quoteList(record.removedHeaders, maxListItems)}`
      }
      if (record.detail !== undefined) line += `,"detail":${quote(record.detail)}`
      if (end !== undefined) line += formatEnd(end)
      const description =
        end === undefined ? decisionDescriptions[decision.reason] : endDescriptions[end.closeReason]
      return `${line}},"resultDescription":"${description}"}\n`
    },
    recordsLost({ count, firstTime, lastTime }, sequence) {
      return (
        `{"time":"${formatTime(firstTime)}","timeGeneratedEndTime":"${formatTime(lastTime)}","count":0` +
        `,${resourceParts(undefined).top},"operationName":"records-lost","category":null` +
        `,"correlationId":null,"properties":{"recordsLost":${count}${origin}${sequence}}` +
        `,"resultDescription":"Decisions of this time could not be written"}\n`
      )
    },
  }
}

function formatSource(source: RecordSource): string {
  let text = '"source":{'
  if (source.resourceId !== undefined) {
    text += `"resourceId":${quote(source.resourceId.text, maxIdLength)},`
  }
  if (source.ipAddress !== undefined) text += `"ipAddress":${quote(source.ipAddress)},`
  if (source.port !== undefined) text += `"port":"${source.port}",`
  if (source.perimeterGuids.length > 0) {
    text += `"perimeterGuids":${quoteList(source.perimeterGuids, maxListItems)},`
  }
  if (source.subscriptions.length > 0) {
    text += `"subscriptions":${quoteList(source.subscriptions, maxListItems)},`
  }
  return `${text}"protocol":${quote(source.protocol)}},`
}

function formatDestination(destination: RecordDestination): string {
  const { resourceId, fullyQualifiedDomainName, ipAddress, port } = destination
  let text = '"destination":{'
  if (resourceId !== undefined) text += `"resourceId":${quote(resourceId.text, maxIdLength)},`
  if (fullyQualifiedDomainName !== undefined) {
    text += `"fullyQualifiedDomainName":${quote(fullyQualifiedDomainName)},`
  }
  if (ipAddress !== undefined) text += `"ipAddress":${quote(ipAddress)},`
  if (port !== undefined) text += `"port":"${port}",`
  return `${text}"protocol":${quote(destination.protocol)}},`
}

function formatEnd({ bytesIn, bytesOut, durationMs, closeReason }: RecordEnd): string {
  return `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"durationMs":${Math.round(durationMs)},"closeReason":"${closeReason}"`
}
