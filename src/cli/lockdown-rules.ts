import type { IpAddress } from '../wire/address.ts'

/** What nftables is to hold. */
export interface Lockdown {
  /** Of the account that Ringfence runs as: the one that may go out. */
  readonly proxyUid: number
  /** Name servers that everyone may ask. */
  readonly resolvers: readonly IpAddress[]
  readonly redirects: readonly Redirect[]
}

/** A transparent listener, as the network sees it. */
export interface Redirect {
  readonly originalPort: number
  readonly port: number
  /** The families whose loopback address it listens on. */
  readonly families: readonly Family[]
}

export type Family = 'ipv4' | 'ipv6'

/** Marks connections of the proxy, for what the kernel sends for them by itself: `RF` in ASCII, high up. */
const mark = '0x52460000'

/**
 * Rules for `nft -f` that leave the processes of a network namespace, or of a host, no way out but through Ringfence. They
 * replace those of an earlier run as a whole and touch no other table (nft(8); kernel 5.2 or newer).
 */
export function renderLockdown({ proxyUid, resolvers, redirects }: Lockdown): string {
  const lines = [
    '#!/usr/sbin/nft -f',
    '# Made by `ringfence lockdown --print`. Apply it before the workload starts; `nft delete table inet ringfence` lifts it.',
    'table inet ringfence',
    'delete table inet ringfence',
    'table inet ringfence {',
    '  # Connections to the ports of transparent listeners are led there, but for our own and those that stay here.',
    '  chain lead {',
    '    type nat hook output priority -100; policy accept;',
    `    meta skuid ${proxyUid} return`,
    '    fib daddr type local return',
    ...redirects.flatMap(renderRedirect),
    '  }',
    '',
    '  # Nothing leaves but what is named here: no UDP 443, no ICMP, no other protocol.',
    '  chain out {',
    '    type filter hook output priority 0; policy drop;',
    '    # Stays on this machine.',
    '    fib daddr type local accept',
    '    # Ringfence.',
    `    meta skuid ${proxyUid} ct mark set ${mark} accept`,
    '    # Answers to whoever has connected here.',
    '    ct state established ct direction reply accept',
    ...renderResolvers(resolvers),
    '    # What a process writes itself has an owner, and is dropped: also on the port of a connection that Ringfence has had.',
    '    meta skuid 0-4294967294 drop',
    '    # What the kernel still sends for the connections of Ringfence, and how it finds the next hop of IPv6.',
    `    ct mark ${mark} accept`,
    '    ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept',
    '  }',
    '',
    '  # Nothing passes through, from a container or a virtual machine.',
    '  chain through {',
    '    type filter hook forward priority 0; policy drop;',
    '  }',
    '}',
  ]
  return `${lines.join('\n')}\n`
}

function renderRedirect({ originalPort, port, families }: Redirect): readonly string[] {
  return families.map(
    (family) => `    meta nfproto ${family} tcp dport ${originalPort} redirect to :${port}`,
  )
}

function renderResolvers(resolvers: readonly IpAddress[]): readonly string[] {
  if (resolvers.length === 0)
    return ['    # No name server was named: nobody but Ringfence resolves names.']
  return [
    '    # Names are asked of these alone. What is asked may carry data out: DNS tunnelling remains possible through them.',
    ...resolvers.map(({ text, bytes }) => {
      const family = bytes.length === 4 ? 'ip' : 'ip6'
      return `    ${family} daddr ${text} meta l4proto { tcp, udp } th dport 53 accept`
    }),
  ]
}
