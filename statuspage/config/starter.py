"""The wallet.yaml that `statuspage init` writes: small, complete, explained, and free of mistakes."""

# ruff: noqa: RUF001 - Chinese punctuation is text here

from __future__ import annotations

from statuspage.config.fields import page_address
from statuspage.errors import InvalidInput

URL = "https://status.wallet.example"

_TEXT = """\
# What is watched, what is shown, who may be told. 监控什么、展示什么、通知谁。
#
#   statuspage config check wallet.yaml     every mistake at once, with line and column   一次列出全部错误及其行列
#   statuspage config plan wallet.yaml      what would change                             预览改动
#   statuspage config apply wallet.yaml     change it, in one transaction                 一次性生效
#
# Durations are written 30s, 5m, 2h, 7d. A text is one string, or one per language. Secrets never stand here: write
# ${env:NAME} or ${file:PATH}. Every key is explained in docs/configuration.md.
# 时长写作 30s、5m、2h、7d；文字可写一种，也可按语言分别写；密钥不要写在这里，请写 ${env:NAME} 或 ${file:PATH}。

page:
  name: {en: My Wallet, zh-Hans: 我的钱包}
  url: %(url)s    # every link is built from this 所有链接都由此生成
  languages: [zh-Hans, en]      # the first is the default 第一个为默认语言
  time_zone: Asia/Shanghai
  custody: self                 # self | custodial | both: changes the advice about funds 影响资金相关的提示
  support:                      # where people get help 用户从哪里获得帮助
    - {kind: email, name: {en: Support, zh-Hans: 客服}, email: help@wallet.example}
  official:                     # what is genuinely yours: readers compare it with a message they received 官方渠道
    domains: [wallet.example]

defaults:                       # every monitor inherits these 所有监控项的默认值
  interval: 30s
  timeout: 10s
  confirm: {failures: 3, successes: 2}    # equal results in a row before the state changes 连续几次才判定
  retry: 5s                     # interval while a change is being confirmed 确认期间的间隔
  publish: suspect              # suspect: publish "we see a problem" at once; draft: page the on-call only; auto: as confirmed
  self_test: []                 # two addresses outside, to tell our own broken network from a broken wallet 判断自身网络

groups:                         # headings on the page 页面上的分组
  functions: {name: {en: Wallet functions, zh-Hans: 钱包功能}}

components:                     # what people can lose 用户会受影响的功能
  login:
    group: functions
    name: {en: Sign-in, zh-Hans: 登录}
    symptoms: [login_failed]
    template: login-after-release
    weight: critical
  transfers:
    group: functions
    name: {en: Transfers, zh-Hans: 转账}
    symptoms: [transfer_failed, tx_pending]
    template: transfers-failing
    weight: critical

monitors:                       # how we know: put your own addresses in and take the # away 填入自己的地址并去掉 #
#  login-api:
#    component: login
#    http: https://api.wallet.example/login/health           # short form: any 2xx is good 简写：任意 2xx 即正常
#  transfers-api:
#    component: transfers
#    when_down: major_outage
#    http:
#      url: https://api.wallet.example/transfers/health
#      headers: {Authorization: "Bearer ${env:PROBE_TOKEN}"}
#      expect: {status: [200], json: ["status == 'ok'"]}
#      degraded_above: 800ms

# chains:                       # one component per network 每条公链一个组件
#   ethereum:
#     endpoints:
#       - {url: "${env:ETH_RPC}", role: own}

channels:                       # ways to the public; one that is not named is not offered 对用户开放的通知渠道
  webhook: {}
#  webpush: {contact: "mailto:ops@wallet.example"}
#  sms:
#    twilio: {account_sid: "${env:TWILIO_ACCOUNT_SID}", auth_token: "${env:TWILIO_AUTH_TOKEN}", number: "+15005550006"}
#    countries: [HK, SG]        # none unless named 未列出的国家和地区不发送
#    spend: {per_hour: 50, per_month: 1000, currency: USD}

on_call:                        # who is paged at once 值班人员
  - {name: On-call, console: true}    # printed in the log; for a phone write  phone: "+85221234567"  打印在日志中
"""


def text(url: str = URL) -> str:
    """The file's text, with the page at `url`. Raises InvalidInput for an address that no page can have."""
    try:
        return _TEXT % {"url": page_address(url)}
    except ValueError as error:
        raise InvalidInput(str(error), "url") from error
