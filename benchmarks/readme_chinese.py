"""The tables of README.md and docs/ in Chinese, for the Chinese pages: the same numbers, other words.

A cell is translated whole by `CELLS`, else by the first of `PATTERNS` that fits it whole; a line outside of
tables, by `LINES`. What none of them knows stays as it is: names of methods, networks and pages.
"""

import re

CELLS = {
    "": "",
    "training with": "训练方式",
    "data map: mean confidence": "数据地图：平均置信度",
    "loss in the last epoch": "最后一轮的损失",
    "loss of the trained network": "训练后网络的损失",
    "chance": "随机水平",
    "augmentation and Dropout 0.5": "数据增强与 Dropout 0.5",
    "neither": "两者都不用",
    "checkpoint": "检查点",
    "network": "网络",
    "recipe": "训练方案",
    "test accuracy (95% interval)": "测试准确率（95% 置信区间）",
    "other runs": "其他训练",
    "training": "训练时间",
    "none run": "没有",
    "under 1 min": "不到 1 分钟",
    "mark of its class": "本类别的标记",
    "mark of another class": "其他类别的标记",
    "no mark": "没有标记",
    "follows the wrong mark": "跟随错误的标记",
    "variant": "变体",
    "6 epochs": "6 轮",
    "30 epochs": "30 轮",
    "against the first": "与第一行之差",
    "no Dropout": "不用 Dropout",
    "flip only": "只翻转",
    "each flip by chance": "每次随机翻转",
    "no label smoothing": "不用标签平滑",
    "batch 256, rate 0.2": "批大小 256，学习率 0.2",
    "cosine to zero": "余弦降到零",
    "weights averaged, 0.999": "权重平均，0.999",
    "map": "图",
    "rank correlation": "秩相关",
    "difference to the area, same scenes": "同样场景上与面积之差",
    "Part painted over, linear infilling": "涂掉一个部分，线性填充",
    "Part painted black": "把一个部分涂黑",
    "Object area (no network)": "物体的面积（不用网络）",
    "Centered Gaussian (no network)": "居中高斯（不用网络）",
    "Random map (no network)": "随机图（不用网络）",
    "128 images": "128 张图像",
    "bare forward pass": "单纯前向传播",
    "scan": "遍历",
    "ratio": "比值",
    "course CNN": "课程 CNN",
    "course CNN without dropout": "课程 CNN，不用 Dropout",
    "of it, course CNN": "其中，课程 CNN",
    "time": "时间",
    "of the bare pass": "占单纯前向传播",
    "means, squares, maxima, zeros": "均值、平方、最大值、零的个数",
    "histograms": "直方图",
    "top images and their positions": "数值最大的图像及其位置",
    "BatchNorm's, from its input's": "批归一化的量，由其输入得出",
    "course CNN, images": "课程 CNN，图像数",
    "whole scan": "整个遍历",
    "result": "结果",
    "more memory while scanning": "遍历时多用的内存",
    "while merging": "合并时",
    "what": "内容",
    "beside it": "对照",
    "a trace of every layer": "每一层的追踪",
    "a bare forward pass: 1.0 ms": "单纯前向传播：1.0 ms",
    "Grad-CAM at all three blocks": "全部三个卷积块的 Grad-CAM",
    "64 feature maps, ready to show": "64 张特征图，可直接显示",
    "payload of 128 maps of 8 × 8": "128 张 8 × 8 的图的数据量",
    "trace": "追踪",
    "trace with Explain’s gradients": "追踪与“解释”页面的梯度",
    "one BatchNorm": "一个批归一化",
    "kept of a trace": "追踪中保留的",
    "none": "没有",
    "method": "方法",
    "course CNN: map": "课程 CNN：图",
    "course CNN: strip": "课程 CNN：评分条",
    "ResNet-9: map": "ResNet-9：图",
    "ResNet-9: strip": "ResNet-9：评分条",
    "click to last change": "从点击到最后一次变化",
    "more than the empty page": "比空页面多",
    "an empty page with one button": "只有一个按钮的空页面",
    "Network: the next image": "网络：下一张图像",
    "Explain: the next image": "解释：下一张图像",
    "Explain: another class": "解释：另一个类别",
    "Explain: another method": "解释：另一种方法",
    "Explain: positive and negative": "解释：正与负",
    "Feature maps: the next image": "特征图：下一张图像",
    "Feature maps: another block": "特征图：另一个卷积块",
    "BatchNorm: the next image": "批归一化：下一张图像",
    "BatchNorm: another layer": "批归一化：另一层",
    "Compare: two classes": "比较：两个类别",
    "another page": "另一个页面",
    "visitors at once": "同时的访问者",
    "new image, median": "新图像，中位数",
    "95% within": "95% 不超过",
    "page runs a second": "每秒页面运行次数",
    "CPU time of a run": "每次运行的 CPU 时间",
    "Grad-CAM at three blocks, 256 images": "三个卷积块的 Grad-CAM，256 张图像",
    "images per second": "每秒图像数",
    "this project is faster by": "本项目与其速度之比",
    "this project": "本项目",
    "method, 16 images at once": "方法，一次 16 张图像",
    "time per image": "每张图像的时间",
    "images a second": "每秒图像数",
    "of the listing": "相对于课程代码",
    "peak memory": "内存峰值",
    "time to it": "所需时间",
    "not reached": "未达到",
}

PATTERNS = (
    (r"(\w+), ([\d,]+) parameters", r"\1，\2 个参数"),
    (r"(\w+), (\d+) epochs, seed (\d+)", r"\1，\2 轮，种子 \3"),
    (r"(\d+) min", r"\1 分钟"),
    (r"(.+) at (\w+\d)", r"\2 处的 \1"),
    (r"(\*\*.+?\*\*) \((.+?) to (.+?)\)", r"\1（\2 到 \3）"),
    (r"page (`\w+`), new image", r"页面 \1，新图像"),
    (r"page (`\w+`), which shows no image", r"页面 \1，不显示图像"),
    (r"cached: (.+)", r"已缓存：\1"),
    (r"a bare forward pass: (.+)", r"单纯前向传播：\1"),
    (r"torchcam, once a block: (.+)", r"torchcam，每块一次：\1"),
    (r"matplotlib subplots: (.+)", r"matplotlib 子图：\1"),
    (
        r"first load of a server up for (\d+) s, to the network's feature maps",
        r"服务器启动 \1 秒后首次加载，到网络的特征图",
    ),
    (
        r"first load of a server up for (\d+) s, to a visible Grad-CAM",
        r"服务器启动 \1 秒后首次加载，到可见的 Grad-CAM",
    ),
    (r"as soon as it answers: (.+); next visitor: (.+)", r"刚能应答时：\1；下一位访问者：\2"),
    (r"epochs to (.+)", r"达到 \1 所需轮数"),
)

LINES = (
    (
        r"Precision, which is also recall, among the (\d+) first images of each ranking \(Wilson interval "
        r"over all (\d+)\); (\d+) networks each \(course, width (\d+), (\d+) epochs\) on ([\d,]+) drawn "
        r"scenes with (\d+) wrong labels, by (`.+`)\.",
        r"每种排序前 \1 张图像中的查准率，也就是查全率（Wilson 区间，共 \2 张）；"
        r"每种 \3 个网络（course，宽度 \4，\5 轮），在 \6 个带 \7 个错误标签的绘制场景上，由 \8 得出。",
    ),
    (r"Of ([\d,]+) scenes, by (`.+`)\.", r"共 \1 个场景，由 \2 得出。"),
    (
        r"Mean ± standard deviation over (\d+) seeds, by (`[^`]+`) with (`[^`]+`) and (`.+`)\.",
        r"\1 个种子的均值 ± 标准差，由 \2 加 \3 与 \4 得出。",
    ),
    (
        r"Medians of (\d+) rounds in turn, by one run of (`.+?`) on (\S+), (\d+) cores, torch (\S+), "
        r"(\d+) threads\.",
        r"轮流 \1 次的中位数，由 \2 的一次运行得出：\3，\4 核，torch \5，\6 个线程。",
    ),
    (
        r"Medians of one run of (`.+?`) on (\S+), (\d+) cores, torch (\S+), one thread\.",
        r"\1 一次运行的中位数：\2，\3 核，torch \4，一个线程。",
    ),
    (
        r"Medians of (\d+) rounds by one run of (`.+?`) on (\S+), (\d+) cores, torch (\S+), (\d+) threads; "
        r"one image of (\d+) pixels, random weights\.",
        r"\1 次的中位数，由 \2 的一次运行得出：\3，\4 核，torch \5，\6 个线程；"
        r"一张 \7 像素的图像，随机权重。",
    ),
    (
        r"Medians of (\d+) by one run of (`.+?`) on (\S+), (\d+) cores, torch (\S+)\.",
        r"\1 次的中位数，由 \2 的一次运行得出：\3，\4 核，torch \5。",
    ),
    (
        r"One run of (`.+?`) on (\S+), (\d+) cores, (\d+) s each: visitors to (\d+) pages ask for images "
        r"that nobody has seen, and think for (\d+) to (\d+) s in between\. "
        r"They run on the same cores; CPU time "
        r"is the server's\.",
        r"\1 的一次运行：\2，\3 核，每种 \4 秒；\5 个页面的访问者请求从未有人看过的图像，"
        r"其间思考 \6 到 \7 秒。它们在同样的核上运行；CPU 时间是服务器的。",
    ),
    (
        r"Medians of (\d+) rounds of (`.+?`) on (\S+), (\d+) cores, torch (\S+), (\d+) threads\.",
        r"\2 运行 \1 次的中位数：\3，\4 核，torch \5，\6 个线程。",
    ),
    (
        r"In turn, epoch by epoch, measuring included \((`.+?`), (`.+?`)\):",
        r"轮流训练，一轮接一轮，包括测量（\1，\2）：",
    ),
    (
        r"“(.+?)” ended at (\S+) after (\d+) epochs and ([\d,]+) s\.",
        r"“\1”在 \3 轮、\4 秒后以 \2 结束。",
    ),
    (
        r"“(.+?)” passed (\S+) after (\d+) s \(median of (\d+): (.+?)\), “(.+?)” after ([\d,]+) s: (\S+) "
        r"times as long\.",
        r"“\1”在 \3 秒后超过 \2（\4 次的中位数：\5），“\6”在 \7 秒后：所需时间是前者的 \8 倍。",
    ),
    (
        r"“(.+?)” passed (\S+) after (\d+) s \(median of (\d+): (.+?)\), “(.+?)” not in its ([\d,]+) s: at "
        r"least (\S+) times as long\.",
        r"“\1”在 \3 秒后超过 \2（\4 次的中位数：\5），“\6”在其 \7 秒内没有：至少是前者的 \8 倍。",
    ),
    (r"“(.+?)” spends its time in (.+)\.", r"“\1”的时间用于：\2。"),
)


def in_chinese(text: str) -> str:
    """A text of these pages with its tables, and the lines between them, in Chinese."""
    return "\n".join(_row(line) if line.startswith("|") else _line(line) for line in text.split("\n"))


def _row(line: str) -> str:
    inner = line.strip("|").split("|")
    return "|" + "|".join(_padded(cell) for cell in inner) + "|"


def _padded(cell: str) -> str:
    words = cell.strip()
    return cell.replace(words, _cell(words)) if words else cell


def _cell(words: str) -> str:
    return CELLS[words] if words in CELLS else _by(PATTERNS, words)


def _line(line: str) -> str:
    return _by(LINES, line)


def _by(patterns: tuple[tuple[str, str], ...], words: str) -> str:
    """By the first pattern that fits all of the words; the words where none does."""
    for pattern, chinese in patterns:
        if re.fullmatch(pattern, words):
            return re.sub(pattern, chinese, words)
    return words
