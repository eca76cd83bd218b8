import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { ProxyAgent, request as undiciRequest } from 'undici'
import { enforced, startProxy, type ProxyFixture } from '../outbound/proxy-fixture.ts'
import { isInstalled, runTool, temporaryFolder } from '../outbound/run-tool.ts'
import { createAuthority } from '../support/certificates.ts'
import { type Origin, startOrigin } from '../support/origin.ts'

/** Clients with a mind of their own about proxies: Node, undici, npm, pip, Java. */

const authority = createAuthority()
t.teardown(() => authority.remove())

interface Site {
  readonly secure: Origin
  readonly plain: Origin
  readonly proxy: ProxyFixture
  readonly proxyUrl: string
  readonly httpsUrl: string
  readonly httpUrl: string
}

async function startSite(
  t: Parameters<typeof startProxy>[0],
  handle?: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Site> {
  const secure = await startOrigin(handle, { tls: authority.issue('api.example') })
  const plain = await startOrigin(handle)
  t.teardown(() => secure.close())
  t.teardown(() => plain.close())
  const parts = enforced(secure.port)
  const proxy = await startProxy(t, {
    ...parts,
    egress: { ...parts.egress, ports: [secure.port, plain.port] },
  })
  return {
    secure,
    plain,
    proxy,
    proxyUrl: `http://127.0.0.1:${proxy.port}`,
    httpsUrl: `https://api.example:${secure.port}`,
    httpUrl: `http://api.example:${plain.port}`,
  }
}

void t.test('Node reaches allowed hosts with its own proxy support', async (t) => {
  const site = await startSite(t)
  const program = `
    const { request } = await import('node:http')
    const { request: secure } = await import('node:https')
    const ask = (send, url) => new Promise((resolve) => send(url, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(response.statusCode + text))
    }).on('error', (error) => resolve(error.message)).end())
    const fetched = async (url) => {
      try { const response = await fetch(url); return response.status + (await response.text()) }
      catch (error) { return String(error.cause?.message ?? error) }
    }
    const { httpUrl, httpsUrl } = JSON.parse(process.argv[1])
    const answers = [
      await fetched(httpsUrl), await fetched(httpUrl), await fetched(httpUrl),
      await ask(request, httpUrl), await ask(secure, httpsUrl),
      await fetched('https://other.example/'),
    ]
    console.log(JSON.stringify(answers))
    process.exit()`
  const { httpUrl, httpsUrl } = site
  const { output, errors } = await runTool(
    t,
    [process.execPath, '--input-type=module', '-e', program, JSON.stringify({ httpUrl, httpsUrl })],
    {
      env: {
        NODE_USE_ENV_PROXY: '1',
        HTTP_PROXY: site.proxyUrl,
        HTTPS_PROXY: site.proxyUrl,
        NODE_EXTRA_CA_CERTS: authority.caFile,
      },
    },
  )
  t.match(errors, /^$|Warning/)
  const [refused, ...allowed] = JSON.parse(output).toReversed()
  t.same(allowed, ['200ok', '200ok', '200ok', '200ok', '200ok'])
  t.notMatch(refused, /^[0-9]/)
  t.ok(site.proxy.records.some(({ decision }) => decision.reason === 'no-matching-rule'))
  t.same(site.proxy.resolved, [])
})

void t.test('undici reaches allowed hosts through its ProxyAgent, tunnelled or not', async (t) => {
  const site = await startSite(t)
  for (const proxyTunnel of [true, false]) {
    const dispatcher = new ProxyAgent({
      uri: site.proxyUrl,
      proxyTunnel,
      requestTls: { ca: authority.ca },
    })
    t.teardown(() => dispatcher.close())
    for (const url of [site.httpUrl, site.httpsUrl]) {
      const { statusCode, body } = await undiciRequest(url, { dispatcher })
      t.equal(statusCode, 200, `${url} ${proxyTunnel}`)
      t.equal(await body.text(), 'ok')
    }
    await t.rejects(undiciRequest('https://other.example/', { dispatcher }))
  }
})

void t.test('npm talks to a registry that is allowed', async (t) => {
  if (!isInstalled(t, ['npm', '--version'])) return
  const site = await startSite(t, (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(request.url?.startsWith('/-/ping') === true ? '{}' : '{"name":"demo"}')
  })
  const npm = (registry: string): string[] =>
    `npm ping --registry ${registry} --proxy ${site.proxyUrl} --https-proxy ${site.proxyUrl} --cafile ${authority.caFile} --fetch-retries 0 --no-update-notifier`.split(
      ' ',
    )
  const allowed = await runTool(t, npm(site.httpsUrl))
  t.equal(allowed.code, 0, allowed.errors)
  t.ok(site.secure.seen.length > 0)
  const refused = await runTool(t, npm('https://packages.other.example/'))
  t.not(refused.code, 0)
  t.match(refused.errors, /403/)
})

void t.test('pip downloads from an index that is allowed', async (t) => {
  if (!isInstalled(t, ['pip', '--version'])) return
  const built = await buildWheel(t)
  if (built === undefined) return
  const site = await startSite(t, (request, response) => {
    if (request.url === '/simple/demo/') {
      response.setHeader('content-type', 'text/html')
      response.end('<a href="/files/demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a>')
    } else if (request.url?.startsWith('/files/') === true) {
      response.end(built)
    } else {
      response.writeHead(404).end()
    }
  })
  const target = temporaryFolder(t)
  const pip = (index: string): string[] =>
    `pip download demo==1.0 --no-deps --no-cache-dir --retries 0 --disable-pip-version-check --index-url ${index} --proxy ${site.proxyUrl} --cert ${authority.caFile} -d ${target}`.split(
      ' ',
    )
  const env = homeOfPyenv()
  const allowed = await runTool(t, pip(`${site.httpsUrl}/simple`), { env })
  t.equal(allowed.code, 0, allowed.errors)
  const refused = await runTool(t, pip('https://pypi.other.example/simple'), { env })
  t.not(refused.code, 0)
  t.ok(site.proxy.records.some(({ decision }) => decision.reason === 'no-matching-rule'))
})

/** A version manager's shims find their versions by this. */
function homeOfPyenv(): Record<string, string> {
  const root = process.env['PYENV_ROOT'] ?? join(process.env['HOME'] ?? '', '.pyenv')
  return { PYENV_ROOT: root }
}

/** The least that is a wheel, made with Python's own zip module. */
async function buildWheel(t: Parameters<typeof startProxy>[0]): Promise<Buffer | undefined> {
  const folder = temporaryFolder(t)
  const program = `
import base64, sys, zipfile
files = {
  'demo.py': '',
  'demo-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n',
  'demo-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
  'demo-1.0.dist-info/RECORD': '',
}
with zipfile.ZipFile('demo.whl', 'w') as archive:
  for name, text in files.items(): archive.writestr(name, text)
print(base64.b64encode(open('demo.whl', 'rb').read()).decode())`
  const { code, output } = await runTool(t, ['python3', '-c', program], {
    cwd: folder,
    env: homeOfPyenv(),
  })
  if (code === 0) return Buffer.from(output, 'base64')
  t.comment('not tested: python3 does not run on this machine')
  return undefined
}

void t.test(
  "Java's HttpClient reaches allowed hosts, its offer of HTTP/2 notwithstanding",
  async (t) => {
    if (!isInstalled(t, ['java', '--version'])) return
    const site = await startSite(t)
    const folder = temporaryFolder(t)
    writeFileSync(
      join(folder, 'Ask.java'),
      `import java.io.FileInputStream;
import java.net.*;
import java.net.http.*;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.*;

public class Ask {
  public static void main(String[] given) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (FileInputStream file = new FileInputStream(given[1])) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(null, trust.getTrustManagers(), null);
    HttpClient client = HttpClient.newBuilder()
      .proxy(ProxySelector.of(new InetSocketAddress("127.0.0.1", Integer.parseInt(given[0]))))
      .sslContext(tls).build();
    for (int at = 2; at < given.length; at++) {
      String said;
      try {
        HttpResponse<String> got = client.send(
          HttpRequest.newBuilder(URI.create(given[at])).build(), HttpResponse.BodyHandlers.ofString());
        said = got.statusCode() + " " + got.body();
      } catch (java.io.IOException error) {
        said = error.getMessage();
      }
      System.out.println(said.split("\\n")[0]);
    }
  }
}
`,
    )
    const ask = `java -Xshare:auto -XX:TieredStopAtLevel=1 ${join(folder, 'Ask.java')}`.split(' ')
    const { output, errors, code } = await runTool(t, [
      ...ask,
      String(site.proxy.port),
      authority.caFile,
      site.httpUrl,
      site.httpUrl,
      site.httpsUrl,
      'http://other.example/',
      'https://other.example/',
    ])
    t.equal(code, 0, errors)
    const answers = output.trimEnd().split('\n')
    t.same(answers.slice(0, 3), ['200 ok', '200 ok', '200 ok'])
    t.match(answers[3], /^403 \{"error"/)
    t.match(answers[4], /403|Tunnel failed/)
    t.same(site.plain.seen[0]?.header('upgrade'), [], 'h2c is for one hop only')
    t.same(site.plain.seen[0]?.header('http2-settings'), [])
  },
)
