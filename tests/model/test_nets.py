import pytest
import torch

from model.nets import NETS, CourseCNN


@pytest.fixture
def x():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def lively(net):
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, 0, 1)  # of both signs: γ < 0 turns maxima into minima
            torch.nn.init.normal_(module.bias, 0, 1)
    return net


def test_the_course_cnn_has_the_courses_parameters(courses_own):
    net = CourseCNN()
    assert sum(p.numel() for p in net.parameters()) == 1_147_914
    assert list(net.state_dict()) == list(courses_own.state_dict())


def test_every_activation_is_a_module_of_its_own_and_none_in_place():
    kinds = [type(module).__name__ for module in CourseCNN().children()]
    block, head = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"], ["Linear", "ReLU", "Dropout", "Linear"]
    assert kinds == [*block, *block, *block, *head]
    assert not any(getattr(module, "inplace", False) for module in CourseCNN().modules())


def test_eval_runs_in_the_courses_order_each_module_once(x):
    net, order = CourseCNN().eval(), []
    for name, module in net.named_children():
        module.register_forward_hook(lambda *_, name=name: order.append(name))
    net(x)
    blocks = [f"{stage}{block}" for block in (1, 2, 3) for stage in ("conv", "bn", "relu", "pool")]
    assert order == [*blocks, "fc1", "relu_fc", "dropout", "fc2"]


def test_pooling_before_relu_changes_neither_logits_nor_gradients(x, courses_own):
    net = lively(CourseCNN(dropout=0.0)).train()
    courses_own.load_state_dict(net.state_dict())
    courses_own.dropout.p = 0.0
    for one in (net, courses_own.train()):
        torch.nn.functional.cross_entropy(one(x), torch.tensor([1, 2, 3, 4])).backward()
    torch.testing.assert_close(net(x), courses_own(x), rtol=1e-5, atol=1e-5)
    theirs = dict(courses_own.named_parameters())
    for name, ours in net.named_parameters():
        torch.testing.assert_close(ours.grad, theirs[name].grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.bn2.running_var, courses_own.bn2.running_var)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("classes", "size"), [(2, 32), (10, 32), (7, 48)])
def test_every_net_gives_logits_for_any_classes_and_size(name, classes, size):
    net = NETS[name](classes=classes, input_size=size).eval()
    assert net(torch.zeros(2, 3, size, size)).shape == (2, classes)


@pytest.mark.parametrize("name", NETS)
def test_a_batch_of_one_equals_its_row_in_a_batch(name, x):
    net = NETS[name](classes=10, input_size=32).eval()
    torch.testing.assert_close(net(x[2:3])[0], net(x)[2], rtol=1e-5, atol=1e-5)


def test_widths_may_be_any_number_of_blocks():
    net = CourseCNN(widths=(8, 16, 16, 24), input_size=64, hidden=20, classes=3).eval()
    assert net(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert net.fc1.in_features == 24 * 4 * 4


@pytest.mark.parametrize(("widths", "size"), [((), 32), ((4, 4, 4), 7)])
def test_widths_that_cannot_be_are_refused(widths, size):
    with pytest.raises(ValueError, match=r"\w\.$"):
        CourseCNN(widths=widths, input_size=size)


@pytest.mark.parametrize("width", [8, 6, 5])
def test_layer_and_group_normalization_are_what_their_names_say(width, x):
    shared = {"layer": width, "group": {8: 1, 6: 3, 5: 5}[width]}  # channels that share their statistics
    for name, together in shared.items():
        net = CourseCNN(widths=(width, 4), norm=name).eval()
        before = net.conv1(x)
        parts = before.reshape(len(x), width // together, -1)
        mean, var = parts.mean(2, keepdim=True), parts.var(2, keepdim=True, correction=0)
        by_hand = ((parts - mean) / (var + 1e-5).sqrt()).reshape(before.shape)
        torch.testing.assert_close(net.norm1(before), by_hand, rtol=1e-4, atol=1e-5)


def test_without_normalization_there_is_no_such_layer(x):
    net = CourseCNN(norm="none").eval()
    assert not [module for module in net.modules() if "Norm" in type(module).__name__]
    first = torch.nn.functional.max_pool2d(net.conv1(x).relu(), 2)
    second = torch.nn.functional.max_pool2d(net.conv2(first).relu(), 2)
    third = torch.nn.functional.max_pool2d(net.conv3(second).relu(), 2)
    torch.testing.assert_close(net(x), net.fc2(net.fc1(third.flatten(1)).relu()))
    with pytest.raises(ValueError, match=r"“instance”"):
        CourseCNN(norm="instance")


def test_resnet9_has_the_layers_of_the_published_one_and_widths_of_its_own():
    net = NETS["resnet9"](width=64)
    layers = [each for each in net.modules() if isinstance(each, torch.nn.Conv2d)]
    widths = [(3, 32), (32, 64), (64, 64), (64, 64), (64, 256), (256, 384), (384, 384), (384, 384)]
    assert [(each.in_channels, each.out_channels) for each in layers] == widths
    gates = sum(2 * wide * few + few + wide for wide, few in [(64, 8), (384, 48)])
    by_hand = sum(9 * narrow * wide + 2 * wide for narrow, wide in widths) + gates + 384 * 10
    assert sum(p.numel() for p in net.parameters()) == by_hand == 3_824_920
    with pytest.raises(ValueError, match="use at least 8"):
        NETS["resnet9"](input_size=7)
    with pytest.raises(ValueError, match="1 is too little; use at least 2"):
        NETS["resnet9"](width=1)


def test_resnet9_is_what_its_parts_say(x):
    net = NETS["resnet9"](width=4).eval()
    pool = torch.nn.functional.max_pool2d

    def silu(x):
        return x / (1 + (-x).exp())

    def plain(block, x):
        return silu(block.bn(block.conv(x)))

    def halved(block, x):
        return silu(block.bn(pool(block.conv(x), 2)))

    def gated(gate, x):
        few = (x.mean((2, 3)) @ gate.squeeze.weight.T + gate.squeeze.bias).relu()
        factors = 1 / (1 + (-few @ gate.excite.weight.T - gate.excite.bias).exp())
        return x * factors[:, :, None, None]

    def added(residual, x):
        return x + gated(residual.gate, plain(residual.block2, plain(residual.block1, x)))

    first = added(net.residual1, halved(net.layer1, plain(net.prepare, x)))
    last = added(net.residual3, halved(net.layer3, halved(net.layer2, first)))
    torch.testing.assert_close(net(x), last.amax((2, 3)) @ net.fc.weight.T / 8)
    assert not any(getattr(module, "inplace", False) for module in net.modules())


def test_the_mlp_is_two_linear_layers(x):
    net = NETS["mlp"](hidden=20).eval()
    first = (x.flatten(1) @ net.fc1.weight.T + net.fc1.bias).clamp(min=0)
    torch.testing.assert_close(net(x), first @ net.fc2.weight.T + net.fc2.bias, rtol=1e-4, atol=1e-5)
    assert sum(p.numel() for p in net.parameters()) == 3072 * 20 + 20 + 20 * 10 + 10
